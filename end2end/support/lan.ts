// What lies behind a story's router: hosts that sleep until they are woken, and who wakes them.

import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';

const LOOPBACK = '127.0.0.1';

/** An address of this machine that others could reach; the portal takes no loopback one for a LAN. */
export function ownAddress(): string | undefined {
  const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

/** A host that sleeps: its port answers from `wake` on. */
export class Host {
  private readonly servers: http.Server[] = [];

  private constructor(
    readonly address: string,
    readonly port: number,
    /** The port on the router that leads to it. No packet passes a dry run, so it stands there as well. */
    readonly publicPort: number,
    private readonly page: string,
  ) {}

  /** Finds ports that nobody listens on; `page` is what it says once it is awake. */
  static async asleep(address: string, page: string): Promise<Host> {
    return new Host(address, await freePort(address), await freePort(LOOPBACK), page);
  }

  async wake(): Promise<void> {
    if (this.servers.length > 0) return;
    for (const [address, port] of [[this.address, this.port], [LOOPBACK, this.publicPort]] as const) {
      const server = http.createServer((_, answer) => {
        answer.setHeader('content-type', 'text/html').end(`<!doctype html><title>${this.page}</title><h1>${this.page}</h1>`);
      });
      this.servers.push(server);
      await once(server.listen(port, address), 'listening');
    }
  }

  stop(): void {
    this.servers.forEach((server) => server.close().closeAllConnections());
  }
}

/** What a home backend is asked. */
export interface Call {
  method: string;
  path: string;
  /** The claims of the token that came along; whoever holds its key could check it. */
  claims: { sub: string; aud: string; iat: number; exp: number };
}

/** A home backend: it notes who called and answers as the story wants. */
export class HomeBackend {
  private constructor(
    private readonly server: http.Server,
    readonly calls: Call[],
  ) {}

  /** `answer` gives the status of the answer to a call. */
  static async start(answer: (call: Call) => number | Promise<number>): Promise<HomeBackend> {
    const calls: Call[] = [];
    const server = http.createServer(async (request, response) => {
      const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
      const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
      const call = { method: request.method!, path: request.url!, claims };
      calls.push(call);
      response.writeHead(await answer(call)).end();
    });
    await once(server.listen(0, LOOPBACK), 'listening');
    return new HomeBackend(server, calls);
  }

  get origin(): string {
    return `http://${LOOPBACK}:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close().closeAllConnections();
  }
}

/** A network card that hears Wake-on-LAN packets. */
export class NetworkCard {
  private constructor(private readonly socket: dgram.Socket) {}

  static async listen(): Promise<NetworkCard> {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    return new NetworkCard(socket);
  }

  get place(): string {
    return `${LOOPBACK}:${this.socket.address().port}`;
  }

  /** Waits for the next packet and answers the hardware address that it is for. */
  async hears(): Promise<string> {
    const [packet] = (await once(this.socket, 'message')) as [Buffer];
    const mac = packet.subarray(6, 12);
    const magic = Buffer.concat([Buffer.alloc(6, 0xff), ...Array<Buffer>(16).fill(mac)]);
    if (!packet.equals(magic)) throw new Error(`this wakes nobody: ${packet.toString('hex')}`);
    return mac.toString('hex').replace(/(..)(?=.)/g, '$1:');
  }

  stop(): void {
    this.socket.close();
  }
}

async function freePort(address: string): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, address), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
