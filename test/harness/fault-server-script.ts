/** What a fault server does with one request. */
export interface FaultStep {
  readonly action: FaultAction;
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** The server's name where absent. */
  readonly body?: string;
  /** Before anything is done, once the request is read. */
  readonly waitMs: number;
  /** HTTP/2 error code of `rst`. */
  readonly code: number;
}

const ACTIONS = [
  /** Status, headers and body. */
  'answer',
  /** RST before any byte of an answer. */
  'reset',
  /** FIN before any byte of an answer. */
  'close',
  /** Never answers. */
  'stall',
  /** The head, then RST. */
  'reset-headers',
  /** The head and half of the body, then RST. */
  'reset-body',
  /** The head and half of the body, then FIN. */
  'truncate',
  /** The head and half of the body, then nothing. */
  'stall-body',
  /** HTTP/2: RST_STREAM with REFUSED_STREAM. */
  'refuse',
  /** HTTP/2: RST_STREAM with `code=`. */
  'rst',
  /** HTTP/2: GOAWAY, then the answer on the stream that is open. */
  'goaway',
  /** HTTP/2: GOAWAY whose last stream is one before this, which is never answered. */
  'goaway-below',
] as const;

type FaultAction = (typeof ACTIONS)[number];

const isAction = (word: string): word is FaultAction => ACTIONS.some((action) => action === word);

/**
 * `step,step,…`, one an attempt; the last one goes on for all later attempts. A step is a status, `ok` or an action, then
 * `;key=value`: `wait` (ms), `body`, `code`, `trailer.NAME`, anything else is a header of the answer.
 * `reset,503;retry-after=1,ok;wait=50`.
 */
export function parseScript(text: string): readonly FaultStep[] {
  return text.split(',').map((part) => parseStep(part.trim()));
}

function parseStep(text: string): FaultStep {
  const [word = '', ...settings] = text.split(';');
  const status = word === 'ok' ? 200 : /^\d{3}$/.test(word) ? Number(word) : 200;
  const action = isAction(word) ? word : 'answer';
  if (action === 'answer' && word !== 'ok' && word !== 'answer' && !/^\d{3}$/.test(word))
    throw new RangeError(`script step "${text}": "${word}" is no status and none of ok, ${ACTIONS.join(', ')}`);
  const pairs = settings.map((setting): readonly [string, string] => {
    const at = setting.indexOf('=');
    return [setting.slice(0, at), setting.slice(at + 1)];
  });
  const named = (name: string): string | undefined => pairs.find(([key]) => key === name)?.[1];
  const body = named('body');
  return {
    action,
    status,
    headers: pairs.filter(([key]) => !['wait', 'body', 'code'].includes(key) && !key.startsWith('trailer.')),
    trailers: pairs.flatMap(([key, value]) => (key.startsWith('trailer.') ? [[key.slice(8), value] as const] : [])),
    ...(body !== undefined && { body }),
    waitMs: Number(named('wait') ?? 0),
    code: Number(named('code') ?? 2),
  };
}

/** The step of an attempt, counted from 1. */
export function stepOf(script: readonly FaultStep[], attempt: number): FaultStep {
  const step = script[Math.min(attempt, script.length) - 1];
  if (step === undefined) throw new RangeError('an empty script');
  return step;
}
