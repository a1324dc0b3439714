import type { Page } from '@playwright/test';

import { signIn } from '../support/steps';
import { expect, test } from '../support/story';

/** How light the page's ground is, from 0 to 255. */
async function brightness(page: Page): Promise<number> {
  const colour = await page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d')!;
    canvas.fillStyle = getComputedStyle(document.documentElement).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  });
  return colour.reduce((sum, part) => sum + part, 0) / 3;
}

test('a reader chooses dark, then light, then what the system says, and stays on the page', async ({ page, portal }) => {
  await signIn(page, await portal.newOwner());
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/sessions');
  const take = async (theme: string) => {
    await page.getByRole('button', { name: theme, exact: true }).click();
    await expect(page).toHaveURL('/sessions');
    await expect(page.getByRole('button', { name: theme, exact: true })).toHaveAttribute('aria-pressed', 'true');
  };
  await take('Dark');
  expect(await brightness(page)).toBeLessThan(80);
  await page.emulateMedia({ colorScheme: 'dark' });
  await take('Light');
  expect(await brightness(page)).toBeGreaterThan(200);
  await take('System');
  expect(await brightness(page)).toBeLessThan(80);
});

test('a reader chooses Spanish and keeps it on every page and after signing in', async ({ page, portal }) => {
  await page.goto('/login');
  await page.getByRole('button', { name: 'Español' }).click();
  await expect(page).toHaveURL('/login');
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Iniciar sesión');

  const owner = await portal.newOwner();
  await page.getByLabel('Correo electrónico').fill(owner.email);
  await page.getByLabel('Contraseña').fill(owner.password);
  await page.getByRole('button', { name: 'Entrar' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Panel');
});

test('the browser\'s language decides until the reader does', async ({ browser, portal, troubles }) => {
  const context = await browser.newContext({ baseURL: portal.url, locale: 'es-MX' });
  troubles.watch(context);
  const page = await context.newPage();
  await page.goto('/login');
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  await page.getByRole('button', { name: 'English' }).click();
  await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  await context.close();
});
