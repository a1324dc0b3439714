import { defineConfig } from '@playwright/test';

const wide = { width: 1280, height: 800 };
const narrow = { width: 360, height: 740 };

const noScripts = { javaScriptEnabled: false };

// Islands are the only part that needs scripts. Long words break narrow screens first, and waiting
// for a deadline is the same on all.
const onlyScripts = /islands/;
const onlyNarrow = /spanish|deadline/;

// Chromium must not speak to anybody but the portal under test.
const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
// As root, in containers mostly, Chromium's sandbox does not start.
const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  // For a browser that ends by itself, and a machine that stumbles: `cargo xtask test` tells of each
  // story that passed only at its second try, and fails where there are more than two.
  retries: 1,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  use: {
    trace: 'off',
    locale: 'en-GB',
    timezoneId: 'UTC',
    actionTimeout: 10_000,
    navigationTimeout: 15_000,
    launchOptions: {
      // Without CHROMIUM, Playwright's own is used (`npx playwright install chromium`).
      executablePath: process.env.CHROMIUM || undefined,
      args: [...quiet, ...sandbox],
    },
  },
  projects: [
    { name: 'js-wide', use: { viewport: wide }, testIgnore: onlyNarrow },
    { name: 'js-narrow', use: { viewport: narrow } },
    { name: 'nojs-wide', use: { viewport: wide, ...noScripts }, testIgnore: [onlyNarrow, onlyScripts] },
    { name: 'nojs-narrow', use: { viewport: narrow, ...noScripts }, testIgnore: onlyScripts },
  ],
});
