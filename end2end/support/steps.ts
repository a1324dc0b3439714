// What people do on many pages.

import { expect, type Locator, type Page } from '@playwright/test';

type Credentials = { email: string; password: string };

/** Fills in the sign-in form that is on the page and sends it. */
export async function submitSignIn(page: Page, { email, password }: Credentials): Promise<void> {
  await page.getByLabel('E-mail', { exact: true }).fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
}

/** Signs in and arrives on the dashboard; `portalUrl` is for a portal of the story's own. */
export async function signIn(page: Page, account: Credentials, portalUrl = ''): Promise<void> {
  await page.goto(`${portalUrl}/login`);
  await submitSignIn(page, account);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
}

/** Follows a link of the navigation, which a narrow screen hides in a menu. */
export async function navigate(page: Page, to: string): Promise<void> {
  const menu = page.locator('summary', { hasText: 'Menu' });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole('navigation').getByRole('link', { name: to, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(to);
}

/** The part of a page under a heading. */
export function section(page: Page, title: string): Locator {
  const heading = page.getByRole('heading', { level: 2, name: title, exact: true });
  return page.locator('section', { has: heading });
}

/** Unfolds the warning of something that ends, then does it. */
export async function confirm(place: Locator, action: string): Promise<void> {
  await place.locator('summary', { hasText: action }).click();
  await place.getByRole('button', { name: action, exact: true }).click();
}

/** Takes one of the choices that stand side by side. */
export async function choose(place: Locator, choice: string): Promise<void> {
  await place.getByRole('radio', { name: choice, exact: true }).check();
}
