// The canary search: no token, code or verifier may stand in anything that the
// browser received, in Cloakroom's log or in its store, in whatever encoding
// (C1, J1, N1). The provider's journal knows them all.

/** In answers of Cloakroom, and in what the browser keeps. */
export const forBrowser = new Set(['access token', 'refresh token', 'ID token', 'code', 'verifier', 'client assertion', 'client secret']);

/** In its log and its store nothing of the protocol may stand either. */
export const forLog = new Set([...forBrowser, 'state', 'nonce', 'cookie']);
export const forStore = forLog;

/**
 * search looks for secrets ([value, kind] pairs) in places ({name, content, kinds,
 * idTokenHint}) and returns {kind, place, encoding} for each that it finds. With
 * idTokenHint an ID token may stand behind "id_token_hint=" there.
 */
export function search(secrets, places) {
  const wanted = secrets.map(([value, kind]) => ({ kind, needles: needles(value) }));
  const idTokens = secrets.filter(([, kind]) => kind === 'ID token').map(([value]) => value);
  const found = [];
  for (const place of places) {
    const stacks = haystacks(place.idTokenHint ? withoutHints(text(place.content), idTokens) : text(place.content));
    for (const { kind, needles: forms } of wanted) {
      if (!place.kinds.has(kind)) continue;
      const encoding = hit(stacks, forms);
      if (encoding) found.push({ kind, place: place.name, encoding });
    }
  }
  return found;
}

function hit(stacks, forms) {
  for (const [encoding, list, folded] of forms) {
    for (const [name, stack] of stacks) {
      const where = folded ? stack.toLowerCase() : stack;
      if (list.some((needle) => where.includes(needle))) return name ? `${encoding}, ${name}` : encoding;
    }
  }
  return undefined;
}

// Bytes are kept one to a character.
const text = (content) => (Buffer.isBuffer(content) ? content : Buffer.from(content)).toString('latin1');

function haystacks(raw) {
  const stacks = [['', raw]];
  for (let decoded = raw, name = 'percent-encoded'; stacks.length < 3; name = 'percent-encoded twice') {
    const next = decoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    if (next === decoded) break;
    stacks.push([name, next]);
    decoded = next;
  }
  return stacks;
}

function withoutHints(raw, idTokens) {
  return idTokens.reduce((s, token) => s.replaceAll(`id_token_hint=${token}`, 'id_token_hint='), raw);
}

/** needles returns [encoding, strings, lower case only] for a secret, or any large part of it. */
function needles(secret) {
  const parts = fragments(secret);
  return [
    ['raw', parts, false],
    ['base64', parts.flatMap((p) => base64Forms(p)), false],
    ['hex', parts.map((p) => Buffer.from(p).toString('hex')), true],
  ];
}

// The beginning and the end, so that a shortened secret is found as well. Of a JWT
// its header says nothing: payload and signature count.
function fragments(secret) {
  const segments = secret.split('.');
  const parts = segments.length === 3 ? segments.slice(1) : [secret];
  return parts.flatMap((part) => {
    const size = Math.min(part.length, Math.max(16, Math.min(64, part.length >> 2)));
    return [part.slice(0, size), part.slice(-size)];
  });
}

// What base64 makes of bytes depends on where among three they begin; the
// characters at both ends depend on the neighbours too, and are left out.
function base64Forms(part) {
  const forms = [];
  for (let shift = 0; shift < 3; shift += 1) {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(part)]);
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64').slice(shift === 0 ? 0 : 4);
    forms.push(whole, whole.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...new Set(forms)];
}
