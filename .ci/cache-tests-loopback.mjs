// Loaded before the suite's origin: it listens on 127.0.0.1 and nowhere else, and keeps idle connections for longer than
// the gateway, which cannot repeat a PUT over one that has just been closed.
import { Server } from 'node:http'

const listen = Server.prototype.listen
Server.prototype.listen = function (port, ...rest) {
  this.keepAliveTimeout = 600_000
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, ...rest)
}
