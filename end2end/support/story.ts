// The test function of every story: a portal for each worker, and an eye on what browsers complain of.

import { test as base, type Page } from '@playwright/test';

import { Portal } from './portal';
import { Troubles } from './troubles';

export { expect } from '@playwright/test';

interface ForEachStory {
  /** A portal of the story's own that holds no account. */
  emptyPortal: Portal;
  troubles: Troubles;
  /** Another browser, of another person or on another device. */
  anotherBrowser: () => Promise<Page>;
  /** A portal of the story's own, with these lines of configuration. */
  portalWith: (settings: string) => Promise<Portal>;
}

interface ForEachWorker {
  portal: Portal;
}

export const test = base.extend<ForEachStory, ForEachWorker>({
  portal: [
    async ({}, use) => {
      const portal = await Portal.start();
      await use(portal);
      await portal.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  emptyPortal: async ({}, use) => {
    const portal = await Portal.startEmpty();
    await use(portal);
    await portal.stop();
  },

  portalWith: async ({}, use) => {
    const portals: Portal[] = [];
    await use(async (settings) => {
      const portal = await Portal.start(settings);
      portals.push(portal);
      return portal;
    });
    await Promise.all(portals.map((portal) => portal.stop()));
  },

  baseURL: async ({ portal }, use) => use(portal.url),

  troubles: async ({}, use) => {
    const troubles = new Troubles();
    await use(troubles);
    troubles.check();
  },

  // Named first, so that a story's own portal outlives the pages that listen to it.
  context: async ({ portalWith: _itsEnd, context, troubles }, use) => {
    troubles.watch(context);
    await use(context);
  },

  anotherBrowser: async ({ browser, baseURL, troubles }, use) => {
    await use(async () => {
      const context = await browser.newContext({ baseURL });
      troubles.watch(context);
      return context.newPage();
    });
  },
});
