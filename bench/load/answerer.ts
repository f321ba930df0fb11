/**
 * Answers every request with the same few bytes, as cheaply as this runtime can: what loads it is what is measured. Requests come
 * whole and one at a time a connection, which is how the generators here send them.
 *
 *   scripts/bun bench/load/answerer.ts PORT
 */
import type { SocketHandler, TCPSocketListenOptions } from "bun";

const PORT = Number(process.argv[2]);
const ANSWER = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nHello world!",
);

const handlers: SocketHandler = {
  open(socket) {
    socket.setNoDelay(true);
  },
  data(socket) {
    socket.write(ANSWER);
  },
};
// The types of the runtime do not know reusePort here.
const options = { hostname: "127.0.0.1", port: PORT, reusePort: true, socket: handlers };

Bun.listen(options as TCPSocketListenOptions);
