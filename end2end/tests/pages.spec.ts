// Every page in both themes: axe finds nothing serious, nothing sticks out at the side, heading and
// title are right, and a screenshot is taken.

import { arrive, expectAccessible, expectNothingSticksOut, photograph, takeTheme, THEMES, unfold } from '../support/soundness';
import { submitSignIn } from '../support/steps';
import { expect } from '../support/story';
import { enter, firstDayPages, test, VISITORS } from '../support/tour';

for (const visitor of VISITORS) {
  for (const theme of THEMES) {
    test(`${visitor} finds every page sound in ${theme} colours`, async ({ page, portal, tours, javaScriptEnabled }, info) => {
      test.setTimeout(150_000);
      await enter(page, tours[visitor]);
      await takeTheme(page, theme, portal.url);
      for (const stop of tours[visitor].stops) {
        await test.step(stop.name, async () => {
          await arrive(page, stop, 'en', portal.url);
          await photograph(page, info, theme, stop);
          await unfold(page);
          await expectNothingSticksOut(page, stop);
          // Without scripts the document is the same, so axe need not read it twice.
          if (javaScriptEnabled !== false) await expectAccessible(page, stop);
        });
      }
    });
  }
}

for (const theme of THEMES) {
  test(`the first admin finds set-up and every empty page sound in ${theme} colours`, async ({ page, emptyPortal, javaScriptEnabled }, info) => {
    const account = { email: 'first@example.test', password: 'seven lanterns on a wooden pier' };
    const link = new URL(await emptyPortal.setupLink());
    const setup = { name: 'setup', path: link.pathname + link.search, heading: ['Set up this portal', ''] as [string, string] };
    await takeTheme(page, theme, emptyPortal.url);
    for (const stop of [setup, ...firstDayPages]) {
      await arrive(page, stop, 'en', emptyPortal.url);
      await photograph(page, info, theme, stop);
      await expectNothingSticksOut(page, stop);
      if (javaScriptEnabled !== false) await expectAccessible(page, stop);
      if (stop !== setup) continue;
      await page.getByLabel('E-mail', { exact: true }).fill(account.email);
      await page.getByLabel('Password', { exact: true }).fill(account.password);
      await page.getByLabel('Password again').fill(account.password);
      await page.getByRole('button', { name: 'Create the admin account' }).click();
      await submitSignIn(page, account);
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
    }
  });
}
