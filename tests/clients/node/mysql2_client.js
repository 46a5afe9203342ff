// Node's mysql2, with its pool. Plays the scenes of ../scenes.py.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const mysql = require('mysql2/promise');

const { KILLDEER_HOST, KILLDEER_PORT, KILLDEER_USER, KILLDEER_PASSWORD, KILLDEER_TLS, KILLDEER_ROWS, KILLDEER_PROXY } = process.env;
const TLS = KILLDEER_TLS === '1';
// As in scenes.py.
const PROXY = KILLDEER_PROXY === '1';
const CONNECTION_BIT = PROXY ? 2 ** 31 : 0;
const SERVER = {
  host: KILLDEER_HOST,
  port: Number(KILLDEER_PORT),
  user: KILLDEER_USER,
  password: KILLDEER_PASSWORD,
  database: 'test',
  dateStrings: true,
  rowsAsArray: true,
  // A certificate that nobody has signed.
  ssl: TLS ? { rejectUnauthorized: false } : undefined,
};
const SLEEP = 'SELECT SLEEP(30)';
const ROWS = 100000;
const PATIENCE = 10000; // ms
const TEXT = 'it\'s a "back\\slash", 100 % and ünïcödé 🐦';

const scenes = {
  connect: () =>
    inSession(async (session) => {
      await expectAlive(session);
      assert.deepEqual(await rows(session, 'SELECT DATABASE()'), [['test']]);
      assert.equal(Boolean(session.connection.stream.encrypted), TLS);
    }),

  query: () =>
    inSession(async (session) => {
      await session.query('SET @text = ?, @number = ?', [TEXT, -7]);
      assert.deepEqual(await rows(session, 'SELECT @text, @number, @unset'), [[TEXT, -7, null]]);
      await assert.rejects(session.query('KILL 999999'), { errno: 1094, sqlState: 'HY000' });
    }),

  prepare: () =>
    inSession(async (session) => {
      const blob = Buffer.from([0, 255, 39, 92]);
      const statement = await session.prepare('SELECT ?, ?, ?, ?, ?');
      for (const values of [[TEXT, '2024-02-29', '-12345678901234567890.50', 'a', blob], Array(5).fill(null)]) {
        const [[row]] = await statement.execute(values);
        // What it is told to be text it makes a string of: MariaDB says that of a blob, too.
        assert.deepEqual(row.slice(0, 4), values.slice(0, 4));
        assert.deepEqual(values[4] && Buffer.isBuffer(row[4]) ? row[4] : values[4], values[4]);
      }
      await statement.close();
      const [[numbers]] = await session.execute('SELECT ?, ?', [-7, 1.5]);
      assert.deepEqual(numbers, [-7, 1.5]);
    }),

  stream: () =>
    inSession(async (session) => {
      let count = 0;
      for await (const [number] of session.connection.query(KILLDEER_ROWS).stream()) {
        count += 1;
        assert.equal(number, count);
      }
      assert.equal(count, ROWS);
      await expectAlive(session);
    }),

  // It has no way of its own: a second connection asks for it.
  cancel: () =>
    inSession(async (session) => {
      await inSession(async (other) => {
        await killSleeping(`KILL QUERY ${session.threadId}`, session, other, { errno: 1317, sqlState: '70100' });
        await expectAlive(session);
      });
    }),

  killed: () =>
    inSession(async (session) => {
      await inSession(async (other) => {
        const id = session.threadId;
        await killSleeping(`KILL ${id}`, session, other, { code: 'PROTOCOL_CONNECTION_LOST' });
        await awaitGone(id, other);
        await assert.rejects(other.query(`KILL ${id}`), { errno: 1094 });
      });
    }),

  reconnect: () =>
    inSession(async (other) => {
      const pool = mysql.createPool({ ...SERVER, connectionLimit: 1 });
      const asked = rows(pool, 'SELECT CONNECTION_ID()');
      const [[connection], [[shown]]] = await Promise.all([once(pool, 'connection'), asked]);
      const first = shown - CONNECTION_BIT;
      const closed = once(connection.stream, 'close');
      await other.query(`KILL ${first}`);
      await awaitGone(first, other);
      // The pool drops what it has read the end of; what has come by then need not have been read in the order in which it came.
      await closed;
      const [[next]] = await rows(pool, 'SELECT CONNECTION_ID()');
      assert.notEqual(next, shown);
      await pool.end();
    }),
};

async function inSession(scene) {
  const session = await mysql.createConnection(SERVER);
  session.connection.on('error', () => {}); // of a killed one, seen by what it was asked
  try {
    await scene(session);
  } finally {
    session.destroy();
  }
}

async function rows(session, sql) {
  const [rows] = await session.query(sql);
  return rows;
}

async function expectAlive(session) {
  assert.deepEqual(await rows(session, 'SELECT CONNECTION_ID()'), [[session.threadId + CONNECTION_BIT]]);
}

/** Kills a session while it runs a statement, which ends with this error. */
async function killSleeping(kill, session, other, error) {
  const sleeping = assert.rejects(session.query(SLEEP), error);
  await attempts('the statement in the list', async () => {
    if (PROXY) {
      const states = await rows(other, `SHOW PROXYSESSION ATTRIBUTE ${session.threadId} LIKE 'state'`);
      return states.some((row) => row[1] === 'MSS_ACTIVE');
    }
    const row = (await listed(other)).get(session.threadId);
    return row && row[4] === 'Query' && row[6] === 'User sleep' && row[7] === SLEEP;
  });
  await other.query(kill);
  await sleeping;
}

async function awaitGone(id, other) {
  await attempts(`session ${id} gone from the list`, async () => !(await listed(other)).has(id));
}

/** The rows of the list of processes, by id. */
async function listed(session) {
  return new Map((await rows(session, 'SHOW PROCESSLIST')).map((row) => [row[0], row]));
}

async function attempts(what, round) {
  const deadline = Date.now() + PATIENCE;
  while (!(await round())) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
  }
}

async function main() {
  let failures = 0;
  for (const [name, scene] of Object.entries(scenes)) {
    try {
      await scene();
      console.log(name);
    } catch (error) {
      failures += 1;
      console.error(`${name}:`, error);
    }
  }
  process.exitCode = failures ? 1 : 0;
}

main();
