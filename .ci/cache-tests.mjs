// Helps .ci/cache-tests: finds free ports, waits for them to be served, and counts results.
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { pathToFileURL } from 'node:url'

// What docs/parity.md promises.
const REQUIRED = 142
const OPTIMAL = 75

const [, , command, ...rest] = process.argv
const commands = { ports, wait, count }
await commands[command](...rest)

async function ports () {
  const servers = [createServer(), createServer()]
  await Promise.all(servers.map(s => new Promise(resolve => s.listen(0, '127.0.0.1', resolve))))
  console.log(servers.map(s => s.address().port).join(' '))
  servers.forEach(s => s.close())
}

async function wait (...all) {
  const deadline = Date.now() + 60_000
  for (const port of all) {
    while (!await answers(Number(port))) {
      if (Date.now() > deadline) throw new Error(`nobody listens on port ${port}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

function answers (port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(false))
  })
}

// All required and optimal tests, those for browsers alone too, which no gateway can pass. One counts if it and all that
// it depends on pass.
async function count (suite, file) {
  const { default: groups } = await import(pathToFileURL(`${suite}/tests/index.mjs`))
  const tests = new Map(groups.flatMap(group => group.tests).map(test => [test.id, test]))
  const results = JSON.parse(readFileSync(file, 'utf8'))
  const passes = id => results[id] === true && (tests.get(id)?.depends_on ?? []).every(passes)
  const scored = kind => [...tests.values()].filter(t => (t.kind ?? 'required') === kind)
  const counts = ['required', 'optimal'].map(kind => {
    const all = scored(kind)
    const failed = all.filter(test => !passes(test.id))
    failed.forEach(test => console.log(`${kind} ${test.id}: ${reason(test, results[test.id])}`))
    return [all.length - failed.length, all.length]
  })
  const [[required, requiredOf], [optimal, optimalOf]] = counts
  console.log(`required ${required}/${requiredOf} optimal ${optimal}/${optimalOf}`)
  process.exitCode = required >= REQUIRED && optimal >= OPTIMAL ? 0 : 1
}

function reason (test, result) {
  if (test.browser_only) return 'for browsers alone'
  return Array.isArray(result) ? result.join(': ') : 'what it depends on fails'
}
