-- sysbench: SELECT 1, as a text or prepared.
sysbench.cmdline.options = { prepared = { 'Prepare the statement', false } }

function thread_init()
   connection = sysbench.sql.driver():connect()
   if sysbench.opt.prepared then
      statement = connection:prepare('SELECT 1')
   end
end

function event()
   local row
   if sysbench.opt.prepared then
      statement:execute()
   else
      row = connection:query_row('SELECT 1')
      assert(row == '1', 'SELECT 1 is not 1')
   end
end

function thread_done()
   if statement then
      statement:close()
   end
   connection:disconnect()
end
