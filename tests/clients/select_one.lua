-- sysbench: SELECT 1, as a text or prepared.
sysbench.cmdline.options = { prepared = { 'Prepare the statement', false } }

function thread_init()
   connection = sysbench.sql.driver():connect()
   if sysbench.opt.prepared then
      statement = connection:prepare('SELECT 1')
   end
end

function event()
   if sysbench.opt.prepared then
      statement:execute()
   else
      local row = connection:query_row('SELECT 1')
      -- The second is what a server says that says everything back.
      assert(row == '1' or row == 'SELECT 1', 'SELECT 1 is not 1')
   end
end

function thread_done()
   if statement then
      statement:close()
   end
   connection:disconnect()
end
