// ---- What the page knows --------------------------------------------------------------------

const WINDOW = 300;        // seconds that the charts show, and all that is ever kept
const GOAL = 0.001;        // seconds that a check may take
const SILENCE = 5_000;     // milliseconds without an event after which the connection counts as lost
const SUMMARY = 10_000;    // milliseconds between two text summaries of a chart
const base = location.pathname.replace(/\/+$/, '');
// With the origin: of a path such as //evil.example/limits, fetch takes the first part for a host.
const api = `${location.origin}${base}/api`;

let board = null;          // the last document of the server
let clockOffset = 0;       // the server's clock minus ours, in seconds

const now = () => Date.now() / 1000 + clockOffset;

/** The last WINDOW seconds of every series; a second that the server did not tell about is null. */
class Timeline {
  end = 0;                                    // the unix second after the newest one
  known = blank();                            // 0 where the server has told what happened
  p50 = blank();
  p99 = blank();
  policies = new Map();                       // name -> { requests, limited, shadow }

  take(history) {
    const told = Object.entries(history.policies);
    const length = Math.max(history.p50.length, history.p99.length, ...told.map(([, of]) => of.requests.length));
    this.advance(history.from + length);
    this.write(this.known, history.from, Array(length).fill(0));
    this.write(this.p50, history.from, history.p50);
    this.write(this.p99, history.from, history.p99);
    // A policy that was not used is not told about: it had no requests in these seconds.
    for (const counts of this.policies.values()) {
      for (const series of Object.values(counts)) this.write(series, history.from, Array(length).fill(0));
    }
    for (const [name, counts] of told) {
      const mine = this.of(name);
      for (const kind of Object.keys(mine)) this.write(mine[kind], history.from, counts[kind]);
    }
  }

  advance(end) {
    const seconds = Math.min(end - this.end, WINDOW);
    if (seconds <= 0) return;
    this.end = end;
    const all = [this.known, this.p50, this.p99, ...[...this.policies.values()].flatMap(Object.values)];
    for (const series of all) series.copyWithin(0, seconds).fill(null, WINDOW - seconds);
  }

  write(series, from, values) {
    const start = WINDOW - (this.end - from);
    values.forEach((value, i) => { if (start + i >= 0) series[start + i] = value; });
  }

  of(name) {
    if (!this.policies.has(name)) {
      this.policies.set(name, { requests: [...this.known], limited: [...this.known], shadow: [...this.known] });
    }
    return this.policies.get(name);
  }

  /** A kind of count of one policy, or of all of them together. */
  counts(kind, policy) {
    if (policy) return this.of(policy)[kind];
    const sum = [...this.known];
    for (const counts of this.policies.values()) {
      counts[kind].forEach((value, i) => { if (value !== null) sum[i] += value; });
    }
    return sum;
  }

  secondAt(i) { return this.end - WINDOW + i; }
}

function blank() { return Array(WINDOW).fill(null); }
const total = values => values.reduce((sum, value) => sum + (value ?? 0), 0);
const lastMinute = values => total(values.slice(-60));

let timeline = new Timeline();

// ---- Words and numbers ----------------------------------------------------------------------

const LOCALE = 'en-GB';
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const two = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2 });
const three = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const timeOfDay = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const hourAndMinute = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit' });
const dayAndTime = new Intl.DateTimeFormat(LOCALE, {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit',
});
const fullTime = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'full', timeStyle: 'long' });
const zone = fullTime.resolvedOptions().timeZone;

/** For counts that may be of any size, such as those that others write in Redis. */
const count = n => n >= 10_000_000 ? compact.format(n) : whole.format(n);

const plural = (n, one, many = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : many}`;
const algorithmName = name => (name ?? '').replaceAll('_', ' ');
const clock = seconds => timeOfDay.format(seconds * 1000);

/** "45 s", "2 min 5 s", "3 h": the two largest units, and the smaller one only if there is any of it. */
function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const [unit, name, small, smallName] = s < 3600 ? [60, 'min', 1, 's']
    : s < 86_400 ? [3600, 'h', 60, 'min'] : [86_400, 'd', 3600, 'h'];
  const rest = Math.floor(s % unit / small);
  return `${whole.format(Math.floor(s / unit))} ${name}${rest > 0 ? ` ${rest} ${smallName}` : ''}`;
}

/** For what a client waits or counts by, where tenths of a second are worth telling. */
const span = seconds => seconds < 60 ? `${three.format(seconds)} s` : duration(seconds);

function latency(seconds) {
  if (seconds === null) return '–';
  if (seconds < 0.0009995) return `${three.format(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${three.format(seconds * 1e3)} ms`;
  return `${three.format(seconds)} s`;
}

/** "60 per minute, burst 20". */
function quota({ limit, per_seconds, burst }) {
  if (limit === null) return 'no limit';
  const units = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day' };
  const per = units[per_seconds] ?? span(per_seconds);
  return `${whole.format(limit)} per ${per}${burst === null ? '' : `, burst ${whole.format(burst)}`}`;
}

/** An API key's id is 32 hex digits, of which 8 are enough to tell it from the others. */
const shortClient = client => client.replace(/^(key:[0-9a-f]{8})[0-9a-f]+$/, '$1…');
