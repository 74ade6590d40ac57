// ---- Charts -------------------------------------------------------------------------------------

const GUTTER = 48;         // pixels at the left, for the labels of the y axis
const FOOT = 24;           // pixels at the bottom, for the labels of the time axis

/** From 0 to just above `max` in two to four round steps. */
function linearScale(max) {
  const rough = Math.max(max, 1) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find(factor => factor * power >= rough) * power);
  const top = step * Math.max(2, Math.ceil(max / step));
  const ticks = Array.from({ length: top / step + 1 }, (_, i) => i * step);
  return { ticks, share: value => value / top, label: value => compact.format(value) };
}

/** Whole decades around the values, and always from 10 µs to 10 ms. */
function logScale(min, max) {
  const low = Math.floor(Math.log10(Math.min(min, 1e-5)));
  const high = Math.ceil(Math.log10(Math.max(max, 1e-2)));
  const every = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let decade = low; decade <= high; decade += every) ticks.push(10 ** decade);
  return { ticks, share: value => (Math.max(Math.log10(value), low) - low) / (high - low), label: latency };
}

/** The stretches of a series that hold values, as [first, last] positions. */
function stretches(values) {
  const found = [];
  values.forEach((value, i) => {
    if (value === null) return;
    if (found.length > 0 && found.at(-1)[1] === i - 1) found.at(-1)[1] = i;
    else found.push([i, i]);
  });
  return found;
}

function linePath(values, x, y, floor = null) {
  return stretches(values).map(([first, last]) => {
    let path = `M${x(first).toFixed(1)} ${y(values[first]).toFixed(1)}h0`;
    for (let i = first + 1; i <= last; i++) path += `L${x(i).toFixed(1)} ${y(values[i]).toFixed(1)}`;
    return floor === null ? path : `${path}V${floor}H${x(first).toFixed(1)}Z`;
  }).join('');
}

/**
 * A chart over the last five minutes: panels one above the other on one time axis, a legend that
 * tells the values of the newest second or of the one pointed at, and a summary for screen readers.
 */
class Chart {
  #at = null;              // the position pointed at, null for the newest
  #summaryDue = 0;

  /**
   * `panels`: [{ caption, share, scale, goal, goalLabel, series: [{ name, label, filled, quiet, values, format }] }].
   * `summary()` tells the chart in sentences; `empty()` is what stands in it if there is nothing to draw.
   */
  constructor(id, panels, { summary, empty }) {
    Object.assign(this, { panels, summary, empty });
    this.figure = $(`figure-${id}`);
    this.svg = $(`chart-${id}`);
    this.scrub = this.figure.querySelector('.scrub');
    this.minutes = Array.from({ length: WINDOW / 60 + 1 }, () => draw('text', { class: 'axis', 'text-anchor': 'middle' }));
    this.cross = draw('line', { class: 'cross' });
    this.nothing = draw('text', { class: 'nothing', 'text-anchor': 'middle' });
    for (const panel of panels) this.#build(panel);
    this.svg.append(...this.minutes, this.cross, this.nothing);
    this.#buildLegend($(`legend-${id}`));
    this.#listen();
  }

  #build(panel) {
    panel.grid = Array.from({ length: 6 }, () => ({
      line: draw('line', { class: 'grid' }),
      text: draw('text', { class: 'axis', 'text-anchor': 'end' }),
    }));
    panel.title = draw('text', { class: 'caption', x: GUTTER });
    panel.title.textContent = panel.caption;
    this.svg.append(...panel.grid.flatMap(({ line, text }) => [line, text]));
    // The first series is drawn last, over the others.
    for (const series of [...panel.series].reverse()) {
      series.area = draw('path', { class: `area ${series.name}-area` });
      series.line = draw('path', { class: `line ${series.name}-line`, d: '' });
      this.svg.append(...(series.filled ? [series.area] : []), series.line);
    }
    if (panel.goal) {
      panel.goalLine = draw('line', { class: 'goal' });
      panel.goalName = draw('text', { class: 'goal-name', 'text-anchor': 'end' }, panel.goalLabel);
      this.svg.append(panel.goalLine, panel.goalName);
    }
    this.svg.append(panel.title);
  }

  #buildLegend(list) {
    this.when = make('b');
    list.append(make('li', {}, this.when));
    for (const { series } of this.panels) {
      for (const one of series) {
        one.told = make('b');
        const swatch = draw('svg', { class: 'swatch', 'aria-hidden': 'true', viewBox: '0 0 18 4' },
          draw('path', { class: `line ${one.name}-line`, d: 'M0 2H18' }));
        list.append(make('li', {}, swatch, one.label, one.told));
      }
    }
  }

  #listen() {
    new ResizeObserver(() => this.render()).observe(this.figure);
    this.figure.addEventListener('pointermove', event => {
      const { left } = this.svg.getBoundingClientRect();
      this.#point((event.clientX - left - GUTTER) / (this.width - GUTTER) * (WINDOW - 1));
    });
    this.figure.addEventListener('pointerleave', () => this.#point(null));
    this.scrub.addEventListener('focus', () => this.#point(this.scrub.valueAsNumber));
    this.scrub.addEventListener('input', () => this.#point(this.scrub.valueAsNumber));
    this.scrub.addEventListener('blur', () => this.#point(null));
  }

  #point(position) {
    this.#at = position === null ? null : Math.min(WINDOW - 1, Math.max(0, Math.round(position)));
    if (board === null) return;
    this.#renderReadout();
    const told = this.panels.flatMap(({ series }) => series.map(one => `${one.label} ${one.told.textContent}`));
    setAttribute(this.scrub, 'aria-valuetext', `${this.when.textContent}: ${told.join(', ')}`);
  }

  render() {
    this.width = this.svg.clientWidth;
    this.height = this.svg.clientHeight;
    if (board === null || this.width === 0) return;
    setAttribute(this.svg, 'viewBox', `0 0 ${this.width} ${this.height}`);
    let top = 8;
    for (const panel of this.panels) {
      const height = (this.height - FOOT - 8) * panel.share;
      this.#renderPanel(panel, top + 20, top + height - 4);
      top += height;
    }
    this.#renderMinutes();
    this.#renderNothing();
    this.#renderReadout();
    this.#summarise();
  }

  #x = i => GUTTER + i / (WINDOW - 1) * (this.width - GUTTER);

  #renderPanel(panel, top, bottom) {
    for (const series of panel.series) series.data = series.values();
    const values = panel.series.flatMap(({ data }) => data).filter(value => value !== null);
    const scale = panel.scale(values);
    const y = value => bottom - scale.share(value) * (bottom - top);
    panel.grid.forEach(({ line, text }, i) => this.#renderTick(line, text, scale, scale.ticks[i], y));
    setAttribute(panel.title, 'y', top - 10);
    for (const { line, area, filled, quiet, data } of panel.series) {
      setAttribute(line, 'd', quiet && total(data) === 0 ? '' : linePath(data, this.#x, y));
      if (filled) setAttribute(area, 'd', linePath(data, this.#x, y, bottom.toFixed(1)));
    }
    if (panel.goal) this.#renderGoal(panel, y(panel.goal));
  }

  #renderTick(line, text, scale, tick, y) {
    const gone = tick === undefined;
    line.toggleAttribute('hidden', gone);
    text.toggleAttribute('hidden', gone);
    if (gone) return;
    const at = Math.round(y(tick));
    setLine(line, [GUTTER, at], [this.width, at]);
    setAttribute(text, 'x', GUTTER - 8);
    setAttribute(text, 'y', at + 4);
    setText(text, scale.label(tick));
  }

  #renderGoal({ goalLine, goalName }, at) {
    setLine(goalLine, [GUTTER, at], [this.width, at]);
    setAttribute(goalName, 'x', this.width);
    setAttribute(goalName, 'y', at - 5);
  }

  #renderMinutes() {
    const first = timeline.secondAt(0);
    const minute = Math.ceil(first / 60) * 60;
    this.minutes.forEach((text, i) => {
      const x = this.#x(minute + i * 60 - first);
      text.toggleAttribute('hidden', x > this.width + 1);
      setAttribute(text, 'x', x.toFixed(1));
      setAttribute(text, 'y', this.height - 6);
      setText(text, hourAndMinute.format((minute + i * 60) * 1000));
    });
  }

  #renderNothing() {
    const some = this.panels.some(({ series }) => series.some(({ data }) => data.some(value => value > 0)));
    setText(this.nothing, some ? '' : this.empty());
    setAttribute(this.nothing, 'x', (GUTTER + this.width) / 2);
    setAttribute(this.nothing, 'y', Math.round(this.height * 0.22));
  }

  #renderReadout() {
    const at = this.#at ?? WINDOW - 1;
    this.cross.toggleAttribute('hidden', this.#at === null);
    setLine(this.cross, [this.#x(at), 8], [this.#x(at), this.height - FOOT]);
    setText(this.when, clock(timeline.secondAt(at)));
    for (const { series } of this.panels) {
      for (const { told, data, format } of series) setText(told, data[at] === null ? '–' : format(data[at]));
    }
  }

  #summarise() {
    if (Date.now() < this.#summaryDue) return;
    this.#summaryDue = Date.now() + SUMMARY;
    setAttribute(this.svg, 'aria-label', this.summary());
  }

  /** For a change that the reader asked for: the next summary does not wait. */
  refresh() {
    this.#summaryDue = 0;
    this.render();
  }
}

const chosenPolicy = () => $('chart-policy').value;
const perSecond = values => linearScale(values.reduce((max, value) => Math.max(max, value), 0));

const countOf = (kind, label, how) => ({
  name: kind, label, format: whole.format, values: () => timeline.counts(kind, chosenPolicy()), ...how,
});

const requestsChart = new Chart('requests', [
  { caption: 'Requests per second', share: 0.56, scale: perSecond, series: [countOf('requests', 'Requests', { filled: true })] },
  {
    caption: '429s per second', share: 0.44, scale: perSecond,
    series: [countOf('limited', '429s', { filled: true }), countOf('shadow', 'would be 429s (shadow)', { quiet: true })],
  },
], { summary: summaryOfRequests, empty: noRequests });

function noRequests() {
  const when = board.uptime_seconds < WINDOW ? 'yet' : 'in the last five minutes';
  return `No requests ${when}${chosenPolicy() ? ' for this policy' : ''}.`;
}

function summaryOfRequests() {
  const [requests, limited, shadow] = ['requests', 'limited', 'shadow'].map(kind => timeline.counts(kind, chosenPolicy()));
  return `Requests and 429s of ${chosenPolicy() || 'all policies'} per second. In the last five minutes: `
    + `${plural(total(requests), 'request')}, ${plural(total(limited), '429')}, `
    + `${whole.format(total(shadow))} that a policy in shadow would have limited. `
    + `In the last minute: ${plural(lastMinute(requests), 'request')}, ${plural(lastMinute(limited), '429')}. `
    + `At most ${whole.format(Math.max(0, ...limited))} 429s in a second.`;
}

const checksChart = new Chart('checks', [
  {
    caption: '', share: 1, goal: GOAL, goalLabel: '1 ms line',
    scale: values => logScale(Math.min(...values.filter(value => value > 0)), Math.max(0, ...values)),
    series: [
      { name: 'p99', label: 'p99', format: latency, values: () => timeline.p99 },
      { name: 'p50', label: 'p50', format: latency, values: () => timeline.p50 },
    ],
  },
], { summary: summaryOfChecks, empty: () => 'No check has been measured.' });

function summaryOfChecks() {
  const measured = timeline.p99.filter(value => value !== null);
  if (measured.length === 0) return 'Time of a check: none was measured in the last five minutes.';
  const over = measured.filter(value => value > GOAL).length;
  return 'Time of a check in the last five minutes. '
    + `The p99 was between ${latency(Math.min(...measured))} and ${latency(Math.max(...measured))}, `
    + `and over the 1 ms line in ${plural(over, 'second')} of ${whole.format(measured.length)}.`;
}

let policiesOffered = '';

function renderPolicyChoice() {
  const names = board.policies.map(({ name }) => name);
  if (names.join('\n') === policiesOffered) return;
  policiesOffered = names.join('\n');
  const chosen = chosenPolicy();
  const [all] = $('chart-policy').options;
  $('chart-policy').replaceChildren(all, ...names.map(name => new Option(name, name)));
  $('chart-policy').value = names.includes(chosen) ? chosen : '';
}

function choosePolicy(name) {
  $('chart-policy').value = name;
  requestsChart.refresh();
  renderPolicies();
}
