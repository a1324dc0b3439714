// Spanish words are longer than English ones, so the narrow screens look at them.

import { arrive, expectNothingSticksOut, takeLanguage } from '../support/soundness';
import { enter, test, VISITORS } from '../support/tour';

for (const visitor of VISITORS) {
  test(`${visitor} finds every page in Spanish`, async ({ page, portal, tours }) => {
    await enter(page, tours[visitor]);
    await takeLanguage(page, 'es', portal.url);
    for (const stop of tours[visitor].stops) {
      await arrive(page, stop, 'es', portal.url);
      await expectNothingSticksOut(page, stop);
    }
  });
}
