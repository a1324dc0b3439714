import fs from 'node:fs';
import path from 'node:path';

import { binaries, Program, run } from './program';

/** The LAN that test services lie in, unless a story says otherwise. */
const LAN = 'lan_cidrs = ["192.168.50.0/24"]';

/** A router daemon in dry-run mode, which keeps its table in memory. */
export class RouterDaemon {
  private constructor(
    private readonly dir: string,
    private readonly program: Program,
  ) {}

  /** Makes keys and configuration in a new folder and starts the daemon on a free port. */
  static async start(dir: string, settings = LAN): Promise<RouterDaemon> {
    await run(binaries.router, ['keygen', '--out', dir]);
    const config = path.join(dir, 'routerd.toml');
    fs.writeFileSync(config, configuration('127.0.0.1:0', settings));
    const program = await Program.start(binaries.router, ['run', '--config', config]);
    // `gatehouse-routerd list` finds the daemon by the port in its configuration.
    fs.writeFileSync(config, configuration(program.address, settings));
    return new RouterDaemon(dir, program);
  }

  /** Its host and port. */
  get address(): string {
    return this.program.address;
  }

  /** What the portal must know to speak to it, as `keygen` left it. */
  get keys(): { api_key: string; aes_key: string; cert_sha256: string } {
    const read = (name: string) => fs.readFileSync(path.join(this.dir, name), 'utf8').trim();
    return { api_key: read('api_key'), aes_key: read('aes_key'), cert_sha256: read('cert_sha256') };
  }

  /** The sessions it lets in at this moment, one a line. */
  async sessions(): Promise<string> {
    return run(binaries.router, ['list', '--config', path.join(this.dir, 'routerd.toml')]);
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}

function configuration(listen: string, settings: string): string {
  return `listen = "${listen}"
backend = "dry-run"
${settings}
allowed_portals = ["127.0.0.1/32", "::1/128"]
allow_private_sources = true
cert = "cert.pem"
key = "key.pem"
api_key_file = "api_key"
aes_key_file = "aes_key"
state_dir = "state"
`;
}
