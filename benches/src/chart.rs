//! A picture of lines on two logarithmic axes, as SVG, dark where its reader's screen is.
//!
//! Along the bottom it is marked where was measured, at the side round numbers.

use std::fmt::Write;

pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) lines: &'a [Line],
}

pub(crate) struct Line {
    name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Line {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            points: Vec::new(),
        }
    }
}

const WIDTH: f64 = 790.0;
const HEIGHT: f64 = 440.0;
/// The inner rectangle, where the lines are.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 380.0;

const STYLE: &str = "
text { font: 13px sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.paper { fill: #ffffff }
.grid { stroke: #d0d7de }
.line { fill: none; stroke-width: 2 }
.line-0 { stroke: #0550ae } .dot-0 { fill: #0550ae }
.line-1 { stroke: #bc4c00; stroke-dasharray: 7 3 } .dot-1 { fill: #bc4c00 }
.line-2 { stroke: #116329; stroke-dasharray: 2 3 } .dot-2 { fill: #116329 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117 }
.grid { stroke: #30363d }
.line-0 { stroke: #79c0ff } .dot-0 { fill: #79c0ff }
.line-1 { stroke: #ffa657 } .dot-1 { fill: #ffa657 }
.line-2 { stroke: #7ee787 } .dot-2 { fill: #7ee787 }
}
";

impl Chart<'_> {
    pub(crate) fn to_svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::over(points().map(|(x, _)| *x).collect(), LEFT, RIGHT);
        let y = Axis::over(round_numbers(points().map(|(_, y)| *y)), BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"title\">\n\
             <title id=\"title\">{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"25\">{title}</text>\n",
            title = self.title,
        );
        self.draw_grid(&mut svg, &x, &y);
        for (n, line) in self.lines.iter().enumerate() {
            line.draw(&mut svg, n, &x, &y);
        }
        svg.push_str("</svg>\n");
        svg
    }

    // Writing to a String cannot fail.
    fn draw_grid(&self, svg: &mut String, x: &Axis, y: &Axis) {
        for (value, at) in x.ticks() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
                BOTTOM + 20.0
            );
        }
        for (value, at) in y.ticks() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 8.0,
                at + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, RIGHT),
            HEIGHT - 14.0,
            self.x
        );
        let middle = f64::midpoint(TOP, BOTTOM);
        let _ = writeln!(
            svg,
            "<text x=\"18\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {middle:.1})\">{}</text>",
            self.y
        );
    }
}

impl Line {
    fn draw(&self, svg: &mut String, n: usize, x: &Axis, y: &Axis) {
        let places: Vec<(f64, f64)> = self
            .points
            .iter()
            .map(|(a, b)| (x.place(*a), y.place(*b)))
            .collect();
        let path: Vec<String> = places
            .iter()
            .map(|(a, b)| format!("{a:.1},{b:.1}"))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<polyline class=\"line line-{n}\" points=\"{}\"/>",
            path.join(" ")
        );
        for (a, b) in places {
            let _ = writeln!(
                svg,
                "<circle class=\"dot-{n}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"3\"/>"
            );
        }
        let key = TOP + 18.0 + 20.0 * f64::from(u8::try_from(n).unwrap_or(u8::MAX));
        let _ = writeln!(
            svg,
            "<path class=\"line line-{n}\" d=\"M{:.1} {:.1}h30\"/><text x=\"{:.1}\" y=\"{key:.1}\">{}</text>",
            LEFT + 14.0,
            key - 4.0,
            LEFT + 52.0,
            self.name
        );
    }
}

/// Those of 1, 2 and 5 times a power of ten from just below these values to just above them.
fn round_numbers(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let (low, high) = values.fold((f64::MAX, 1.0), |(low, high), value| {
        (value.min(low), value.max(high))
    });
    let numbers: Vec<f64> = (0..=12)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(power)))
        .collect();
    let first = numbers.partition_point(|number| *number <= low);
    let last = numbers.partition_point(|number| *number < high);
    numbers[first.saturating_sub(1)..=last.min(numbers.len() - 1)].to_vec()
}

/// From its lowest mark to its highest.
struct Axis {
    marks: Vec<f64>,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(mut marks: Vec<f64>, from: f64, to: f64) -> Self {
        marks.sort_by(f64::total_cmp);
        marks.dedup();
        Self { marks, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let (Some(first), Some(last)) = (self.marks.first(), self.marks.last()) else {
            return self.from;
        };
        let share = (value / first).log10() / (last / first).log10();
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = (String, f64)> {
        self.marks
            .iter()
            .map(|value| (format!("{value}"), self.place(*value)))
    }
}
