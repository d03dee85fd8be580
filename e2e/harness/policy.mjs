// What the provider asks of a user who is signed in there: a new login if the one
// that there was does not reach the level that a client asks for.

import { interactionPolicy } from 'oidc-provider';

/** mfa is the stronger of the two levels: the login page gives it to whoever is asked for it. */
export const mfa = 'urn:example:mfa';

/** policy returns the provider's usual prompts, and that one. */
export function policy() {
  const prompts = interactionPolicy.base();
  prompts.get('login').checks.add(new interactionPolicy.Check(
    'acr_values', 'a stronger login is required', 'login_required',
    ({ oidc }) => {
      const wanted = oidc.params.acr_values?.split(' ') ?? [];
      const met = wanted.length === 0 || wanted.includes(oidc.acr);
      return met ? interactionPolicy.Check.NO_NEED_TO_PROMPT : interactionPolicy.Check.REQUEST_PROMPT;
    },
  ));
  return prompts;
}
