import fs from 'node:fs';
import path from 'node:path';

import { binaries, Program, run } from './program';

/** Whoever approves releases at every co-signer of a story. */
export const APPROVER = { name: 'grace', password: 'four owls over a frozen lake' };

/** A co-signer in a folder of its own, as on a second host. */
export class CoSigner {
  private constructor(
    private readonly dir: string,
    private readonly program: Program,
  ) {}

  /** Starts one that trusts nobody yet, on a free port. */
  static async start(dir: string): Promise<CoSigner> {
    const program = await Program.start(binaries.cosigner, ['run', '--dir', dir, '--listen', '127.0.0.1:0']);
    return new CoSigner(dir, program);
  }

  /** Where portals ask it. */
  get url(): string {
    return `http://${this.program.address}`;
  }

  /** Runs a subcommand on its host, and answers what that printed. */
  command(...args: string[]): Promise<string> {
    return run(binaries.cosigner, [...args, '--dir', this.dir]);
  }

  /** Trusts the portal with this identity key, each new release after an approval. */
  async trust(identityPem: string): Promise<void> {
    const key = this.file('portal.pem', identityPem);
    await this.command('approver', 'add', APPROVER.name, '--password-file', this.file('password', APPROVER.password));
    await this.command('trust', 'portal', '--key', key, '--approval');
  }

  /** Approves a release that waits. */
  async approve(projectId: string, counter: number): Promise<void> {
    const password = this.file('password', APPROVER.password);
    await this.command('approve', projectId, String(counter), '--as', APPROVER.name, '--password-file', password);
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }

  private file(name: string, content: string): string {
    const file = path.join(path.dirname(this.dir), name);
    fs.writeFileSync(file, content);
    return file;
  }
}
