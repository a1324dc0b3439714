// A second way to a portal, as a second host name is one.

import { once } from 'node:events';
import net from 'node:net';

/** Hands every connection on to a portal that is named later. */
export class SecondDoor {
  private target = 0;

  private constructor(private readonly server: net.Server) {}

  static async open(): Promise<SecondDoor> {
    const server = net.createServer();
    const door = new SecondDoor(server);
    server.on('connection', (from) => {
      const to = net.connect(door.target, '127.0.0.1');
      from.pipe(to).pipe(from);
      // Whichever side goes takes the other along.
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      to.on('error', () => from.destroy()).on('close', () => from.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return door;
  }

  /** Another host to a browser than the portal's own, which goes by its number. */
  get url(): string {
    return `http://localhost:${(this.server.address() as net.AddressInfo).port}`;
  }

  leadTo(portalUrl: string): void {
    this.target = Number(new URL(portalUrl).port);
  }

  close(): void {
    this.server.close();
  }
}
