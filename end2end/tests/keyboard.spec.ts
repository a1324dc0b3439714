import type { Page } from '@playwright/test';

import { signIn } from '../support/steps';
import { expect, test } from '../support/story';

/** What a keyboard must reach: everything that can be used, one radio of each group. */
const USABLE = 'a[href], button, input:not([type=hidden], [type=radio]), input[type=radio]:checked, select, textarea, summary, [tabindex="0"]';

interface Focused {
  /** Its place among everything usable that is on show; -1 when it is none of it. */
  place: number;
  outline_px: number;
}

/** Where the focus is, and how thick a line shows it. */
async function focused(page: Page): Promise<Focused> {
  return page.evaluate((usable) => {
    const shown = [...document.querySelectorAll(usable)].filter((element) => element.checkVisibility({ visibilityProperty: true }));
    const style = getComputedStyle(document.activeElement!);
    const outline_px = style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth);
    return { place: shown.indexOf(document.activeElement!), outline_px };
  }, USABLE);
}

/** Tabs through the page until the focus leaves it, and answers every stop. */
async function tabThrough(page: Page): Promise<Focused[]> {
  const stops: Focused[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const stop = await focused(page);
    if (stop.place === -1 || stop.place === stops[0]?.place) return stops;
    stops.push(stop);
  }
}

async function expectAllReachable(page: Page): Promise<void> {
  const count = await page.evaluate(
    (usable) => [...document.querySelectorAll(usable)].filter((element) => element.checkVisibility({ visibilityProperty: true })).length,
    USABLE,
  );
  const stops = await tabThrough(page);
  expect(stops.map(({ place }) => place), 'in reading order').toEqual([...Array(count).keys()]);
  expect(stops.filter(({ outline_px }) => outline_px < 2), 'stops whose focus is hard to see').toEqual([]);
}

test('the sign-in page can be used with the keyboard alone', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await page.goto('/login');
  await expectAllReachable(page);
  await page.getByLabel('E-mail', { exact: true }).focus();
  await page.keyboard.type(owner.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(owner.password);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
});

test('the dashboard can be used with the keyboard alone', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await portal.newService(owner);
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).first().press('Enter');
  await expect(page.getByText('The service is open for your address.')).toBeVisible();
  await page.goto('/');
  await expectAllReachable(page);
});

test('the first stop of the keyboard leads past the header', async ({ page, portal }) => {
  await signIn(page, await portal.newOwner());
  await page.keyboard.press('Tab');
  const link = page.getByRole('link', { name: 'Skip to content' });
  await expect(link).toBeFocused();
  await expect(link).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('main')).toBeFocused();
});

test('a warning opens with the keyboard, and nothing ends before it is read', async ({ page, portal }) => {
  const owner = await portal.newOwner();
  await portal.newService(owner);
  await signIn(page, owner);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  const close = page.getByRole('main').locator('summary', { hasText: 'Close' });
  await close.press('Enter');
  await expect(page.getByText('every connection through it is cut at once')).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByText('The session is closed.')).toBeVisible();
});
