// What must hold on every page, whatever it is about.

import path from 'node:path';

import AxeBuilder from '@axe-core/playwright';
import type { Page, TestInfo } from '@playwright/test';

import { expect } from './story';
import type { Stop } from './tour';

/** The colours that a reader may choose. */
export const THEMES = ['light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const WCAG_22_AA = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const NOT_BEARABLE = ['serious', 'critical'];

/** Chooses colours as the footer's button would. */
export async function takeTheme(page: Page, theme: Theme, url: string): Promise<void> {
  await page.context().addCookies([{ name: 'theme', value: theme, url }]);
}

/** Chooses a language as the footer's button would. */
export async function takeLanguage(page: Page, lang: 'en' | 'es', url: string): Promise<void> {
  await page.context().addCookies([{ name: 'lang', value: lang, url }]);
}

/** Opens a page and sees that it is the one that was meant, in the right language. */
export async function arrive(page: Page, stop: Stop, lang: 'en' | 'es', url: string): Promise<void> {
  const heading = stop.heading[lang === 'en' ? 0 : 1];
  await page.goto(url + stop.path);
  await expect.soft(page, stop.name).toHaveTitle(`${heading} · Gatehouse`);
  await expect.soft(page.getByRole('heading', { level: 1 }), stop.name).toHaveText(heading);
  await expect.soft(page.locator('html'), stop.name).toHaveAttribute('lang', lang);
}

/** Takes the whole page into screenshots/<project>/<theme>/<page>.png. */
export async function photograph(page: Page, info: TestInfo, theme: Theme, stop: Stop): Promise<void> {
  const file = path.join(__dirname, '../screenshots', info.project.name, theme, `${stop.name}.png`);
  await page.screenshot({ path: file, fullPage: true });
}

/** Unfolds every warning and filter; the menu stays shut, since it would lie over the page. */
export async function unfold(page: Page): Promise<void> {
  await page.locator('main details').evaluateAll((all) => all.forEach((details) => details.setAttribute('open', '')));
}

/** Nothing makes the page scroll sideways. */
export async function expectNothingSticksOut(page: Page, stop: Stop): Promise<void> {
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect.soft(needed, `${stop.name} is wider than the screen`).toBeLessThanOrEqual(there);
}

/** axe finds nothing serious by all rules of WCAG 2.2 AA. */
export async function expectAccessible(page: Page, stop: Stop): Promise<void> {
  // The other mode opens a second page for each look, which costs more than the look itself.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  const { violations } = await axe.withTags(WCAG_22_AA).analyze();
  const serious = violations
    .filter(({ impact }) => NOT_BEARABLE.includes(impact ?? ''))
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target).join(', ')}`);
  expect.soft(serious, `what axe finds on ${stop.name}`).toEqual([]);
}
