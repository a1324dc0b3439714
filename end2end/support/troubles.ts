import { expect, type BrowserContext } from '@playwright/test';

/** What a browser complains of while a story runs; the story fails by it at the end. */
export class Troubles {
  private readonly found: string[] = [];
  private readonly foreseen: RegExp[] = [];

  /** Listens to every page of a context. Violations of the content security policy are console errors. */
  watch(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error') {
        this.found.push(`console: ${message.text()} (${message.location().url})`);
      }
    });
    context.on('weberror', (error) => this.found.push(`uncaught: ${error.error().message}`));
    context.on('response', (response) => {
      if (response.status() >= 500) this.found.push(`${response.status()} from ${response.url()}`);
    });
  }

  /** Names a complaint that belongs to the story, such as the status of a page that does not exist. */
  foresee(complaint: RegExp): void {
    this.foreseen.push(complaint);
  }

  check(): void {
    const unforeseen = this.found.filter((trouble) => !this.foreseen.some((known) => known.test(trouble)));
    expect(unforeseen, 'what the browser complained of').toEqual([]);
  }
}
