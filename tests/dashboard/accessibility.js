// What can be told about the accessibility of a page without looking at it. The body of a function:
// run it in the page (WebDriver's "execute", or wrapped in `(() => { … })()`); it returns the
// violations as an array of sentences, each with its rule and its element, and [] if there is none.
//
// It judges what is shown now: run it again for each state of the page, scheme and width. Whether the
// focus is visible and whether the names make sense, it cannot tell.

const violations = [];

// ---- Elements -------------------------------------------------------------------------------

const ROLES = new Set(('alert alertdialog application article banner blockquote button caption cell checkbox code '
  + 'columnheader combobox complementary contentinfo definition deletion dialog directory document emphasis feed '
  + 'figure form generic grid gridcell group heading img insertion link list listbox listitem log main marquee math '
  + 'menu menubar menuitem menuitemcheckbox menuitemradio meter navigation none note option paragraph presentation '
  + 'progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator slider '
  + 'spinbutton status strong subscript superscript switch tab table tablist tabpanel term textbox time timer toolbar '
  + 'tooltip tree treegrid treeitem').split(' '));
const WIDGETS = 'button checkbox combobox link menuitem menuitemcheckbox menuitemradio option radio searchbox slider '
  + 'spinbutton switch tab textbox treeitem';
const IDREFS = ['aria-activedescendant', 'aria-controls', 'aria-describedby', 'aria-details', 'aria-errormessage',
  'aria-flowto', 'aria-labelledby', 'aria-owns'];

const FIELD = 'input:not([type="hidden"], [type="submit"], [type="button"], [type="reset"], [type="image"]), select, textarea';
const NATIVE = `button, a[href], ${FIELD}, input[type="submit"], input[type="button"], input[type="reset"], summary`;
const WIDGET = WIDGETS.split(' ').map(role => `[role="${role}"]`).join(', ');
const CONTROL = `${NATIVE}, ${WIDGET}`;
const FOCUSABLE = `${NATIVE}, [tabindex]`;

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const rendered = element => element.checkVisibility({ visibilityProperty: true });
const exposed = element => rendered(element) && !element.closest('[aria-hidden="true"]');
const isDisabled = element => element.matches(':disabled') || element.closest('[aria-disabled="true"]') !== null;

function report(rule, element, what) {
  const id = element.id ? `#${element.id}` : [...element.classList].map(name => `.${name}`).join('');
  const parent = element.id || !element.parentElement?.id ? '' : `#${element.parentElement.id} > `;
  violations.push(`${rule}: ${parent}${element.localName}${id} ${what}`);
}

// ---- Names ----------------------------------------------------------------------------------

/** What a screen reader would read of the content: text and the names of images, but nothing hidden from it. */
function contentOf(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE || node.matches('[aria-hidden="true"], script, style')) return '';
  if (node.hasAttribute('aria-label')) return node.getAttribute('aria-label');
  if (node.localName === 'img') return node.alt;
  return [...node.childNodes].map(contentOf).join(' ');
}

function nameOf(element) {
  const by = (element.getAttribute('aria-labelledby') ?? '').split(/\s+/).filter(Boolean)
    .map(id => document.getElementById(id)).filter(Boolean).map(contentOf).join(' ').trim();
  if (by) return by;
  const label = (element.getAttribute('aria-label') ?? '').trim();
  if (label) return label;
  if (element.matches(FIELD)) return ([...element.labels ?? []].map(contentOf).join(' ').trim() || element.title).trim();
  if (element.matches('input')) return element.value || element.title;
  if (element.localName === 'img') return element.alt.trim() || element.title;
  if (element.localName === 'svg') return element.querySelector(':scope > title')?.textContent.trim() ?? '';
  return contentOf(element).trim() || element.title;
}

for (const element of all(CONTROL).filter(exposed)) {
  if (nameOf(element).trim()) continue;
  if (element.matches(FIELD)) report('label', element, 'has no label');
  else if (element.matches('a, [role="link"]')) report('link-name', element, 'has no text');
  else if (element.matches('button, [role="button"], input')) report('button-name', element, 'has no text');
  else report('control-name', element, 'has no accessible name');
}

for (const element of all('img, svg, canvas, [role="img"]').filter(exposed)) {
  if (element.parentElement.closest('svg')) continue;
  const decorative = element.localName === 'img' && element.getAttribute('alt') === ''
    || element.matches('[role="presentation"], [role="none"]');
  if (decorative) continue;
  if (!nameOf(element)) report('image-name', element, 'has no name and is not aria-hidden');
  else if (element.localName !== 'img' && element.getAttribute('role') !== 'img') {
    report('image-role', element, 'has a name but not role=img');
  }
}

for (const element of all('dialog[open], [role="dialog"], [role="alertdialog"]').filter(exposed)) {
  const named = element.hasAttribute('aria-label') || element.hasAttribute('aria-labelledby');
  if (!named) report('dialog-name', element, 'has no name');
}

// ---- The document ---------------------------------------------------------------------------

const root = document.documentElement;
if (!/^[a-z]{2,3}(-[a-z0-9]+)*$/i.test(root.lang)) report('html-lang', root, 'does not say its language');
if (!document.title.trim()) report('document-title', root, 'has no title');
if (/user-scalable\s*=\s*no|maximum-scale\s*=\s*1(\D|$)/.test(document.querySelector('meta[name="viewport"]')?.content ?? '')) {
  report('zoom', root, 'forbids zooming');
}

const mains = all('main, [role="main"]').filter(exposed);
if (mains.length !== 1) report('landmark-main', root, `has ${mains.length} main landmarks instead of one`);

const levelOf = heading => Number(heading.getAttribute('aria-level') ?? heading.localName.slice(1));
const headings = all('h1, h2, h3, h4, h5, h6, [role="heading"]').filter(exposed);
const firsts = headings.filter(heading => levelOf(heading) === 1).length;
if (firsts !== 1) report('heading-one', root, `has ${firsts} headings of level 1 instead of one`);
headings.forEach((heading, i) => {
  if (!contentOf(heading).trim()) report('heading-empty', heading, 'is empty');
  const before = i === 0 ? 0 : levelOf(headings[i - 1]);
  if (levelOf(heading) > before + 1) report('heading-order', heading, `has the level ${levelOf(heading)} after ${before}`);
});

const seen = new Set();
for (const element of all('[id]')) {
  if (seen.has(element.id)) report('duplicate-id', element, 'has the id of another element');
  seen.add(element.id);
}

for (const attribute of [...IDREFS, 'for']) {
  for (const element of all(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/).filter(Boolean)) {
      if (!document.getElementById(id)) report('idref', element, `has ${attribute}="${id}", which does not exist`);
    }
  }
}

for (const element of all('[role]')) {
  for (const role of element.getAttribute('role').split(/\s+/)) {
    if (!ROLES.has(role)) report('role', element, `has the unknown role "${role}"`);
  }
}

for (const table of all('table:not([role="presentation"], [role="none"])').filter(exposed)) {
  if (!table.querySelector('th')) report('table-header', table, 'has no th');
  for (const header of all('th', table)) {
    if (['col', 'row', 'colgroup', 'rowgroup'].includes(header.getAttribute('scope'))) continue;
    report('th-scope', header, `"${header.textContent.trim()}" has no scope`);
  }
}

// ---- Keyboard and touch ---------------------------------------------------------------------

for (const element of all('[tabindex]')) {
  if (element.tabIndex > 0) report('tabindex', element, 'has a positive tabindex');
}

for (const element of all(CONTROL).filter(exposed)) {
  if (isDisabled(element)) continue;
  // Of a set of radios, tabs or options the arrow keys reach the others.
  const roving = element.matches('[role="radio"], [role="tab"], [role="option"], [role="menuitem"], [role="treeitem"]');
  if (element.tabIndex < 0 && !roving) report('keyboard', element, 'is not reached by the keyboard');
}

for (const element of all('a:not([href], [tabindex])').filter(exposed)) {
  report('keyboard', element, 'is a link that goes nowhere and is not reached by the keyboard');
}

for (const element of all('[onclick], body *').filter(exposed)) {
  // What looks or acts as if it could be clicked must be a control, or be inside of one.
  const looks = element.hasAttribute('onclick')
    || getComputedStyle(element).cursor === 'pointer' && getComputedStyle(element.parentElement).cursor !== 'pointer';
  if (looks && !element.closest(`${CONTROL}, label, option`) && element.tabIndex < 0) {
    report('keyboard', element, 'can be clicked but is no control');
  }
}

for (const element of all('[aria-hidden="true"]').filter(rendered)) {
  const inside = [element, ...all(FOCUSABLE, element)].find(one => one.tabIndex >= 0 && rendered(one) && !isDisabled(one));
  if (inside) report('aria-hidden-focus', inside, 'can have the focus but is hidden from screen readers');
}

for (const element of all('body *').filter(exposed)) {
  const { overflowX, overflowY } = getComputedStyle(element);
  const scrolls = overflow => overflow === 'auto' || overflow === 'scroll';
  const hasMore = scrolls(overflowX) && element.scrollWidth > element.clientWidth + 1
    || scrolls(overflowY) && element.scrollHeight > element.clientHeight + 1;
  const reached = element.tabIndex >= 0 || all(FOCUSABLE, element).some(one => one.tabIndex >= 0 && rendered(one));
  if (hasMore && !reached) report('scroll-keyboard', element, 'scrolls but is not reached by the keyboard');
}

for (const element of all(CONTROL).filter(exposed)) {
  const { width, height } = element.getBoundingClientRect();
  // A link within a sentence is as high as its line.
  if (element.localName === 'a' && getComputedStyle(element).display === 'inline') continue;
  if (!isDisabled(element) && Math.min(width, height) < 23.5) {
    report('target-size', element, `is ${Math.round(width)} by ${Math.round(height)} pixels, of 24 by 24`);
  }
}

// ---- Contrast -------------------------------------------------------------------------------

const brush = Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
  .getContext('2d', { willReadFrequently: true });
const colours = new Map();

/** Any colour that CSS knows as [red, green, blue, alpha], each from 0 to 1. */
function colour(css) {
  if (!colours.has(css)) {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = css;
    brush.fillRect(0, 0, 1, 1);
    colours.set(css, [...brush.getImageData(0, 0, 1, 1).data].map(value => value / 255));
  }
  return colours.get(css);
}

function over(above, below) {
  const alpha = above[3] + below[3] * (1 - above[3]);
  if (alpha === 0) return [0, 0, 0, 0];
  const mix = i => (above[i] * above[3] + below[i] * below[3] * (1 - above[3])) / alpha;
  return [mix(0), mix(1), mix(2), alpha];
}

const fade = ([red, green, blue, alpha], opacity) => [red, green, blue, alpha * opacity];

/** How a text and what is behind it come out on the screen; null if an image is behind it. */
function painted(element, textColour) {
  let text = colour(textColour);
  let behind = [0, 0, 0, 0];
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    // In SVG, backgrounds are not painted.
    const background = at.ownerSVGElement ? [0, 0, 0, 0] : colour(style.backgroundColor);
    if (style.backgroundImage !== 'none' && !at.ownerSVGElement && behind[3] < 1) return null;
    text = fade(over(text, background), Number(style.opacity));
    behind = fade(over(behind, background), Number(style.opacity));
  }
  // Below everything is the canvas: dark only if the page takes part in the dark scheme.
  const dark = matchMedia('(prefers-color-scheme: dark)').matches && getComputedStyle(root).colorScheme.includes('dark');
  const canvas = dark ? [0.07, 0.07, 0.07, 1] : [1, 1, 1, 1];
  return [over(text, canvas), over(behind, canvas)];
}

function luminance(rgb) {
  const [red, green, blue] = rgb.map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function isSeen(element) {
  if (!rendered(element)) return false;
  for (let at = element; at; at = at.parentElement) {
    const { clipPath, opacity } = getComputedStyle(at);
    if (clipPath.startsWith('inset(50%') || Number(opacity) === 0) return false;
  }
  return true;
}

function checkContrast(element, textColour, text) {
  const shades = painted(element, textColour);
  const sample = `"${text.trim().replace(/\s+/g, ' ').slice(0, 30)}"`;
  if (shades === null) {
    report('contrast', element, `${sample} is over an image, its contrast cannot be told`);
    return;
  }
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
  const ratio = contrast(...shades);
  if (ratio < (large ? 3 : 4.5)) report('contrast', element, `${sample} has ${ratio.toFixed(2)}:1, of ${large ? 3 : 4.5}:1`);
}

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, node => {
  const element = node.parentElement;
  const read = node.data.trim() && !element.closest('script, style, noscript, option, title')
    && isSeen(element) && !isDisabled(element);
  return read ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT;
});
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  const style = getComputedStyle(element);
  checkContrast(element, element.ownerSVGElement ? style.fill : style.color, texts.currentNode.data);
}

for (const field of all(FIELD).filter(isSeen)) {
  if (isDisabled(field) || field.matches('[type="range"], [type="checkbox"], [type="radio"]')) continue;
  checkContrast(field, getComputedStyle(field).color, 'its value');
  if (field.placeholder && !field.value) checkContrast(field, getComputedStyle(field, '::placeholder').color, field.placeholder);
}

return violations;
