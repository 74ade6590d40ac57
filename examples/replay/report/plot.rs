//! Requests over time, as pictures that scale with the page. Their labels are text beside them, which
//! does not scale.

use std::fmt;

use super::{
    super::series::{Bin, Series},
    words::{TIME, length, number, share, time},
};

/// Heights are given in hundredths of the picture.
const HEIGHT: f64 = 100.0;

const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

/// Distances between two labels of the axis, in microseconds; after the last they double.
const STEPS: [u64; 16] = [
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    300 * SECOND,
    600 * SECOND,
    1_800 * SECOND,
    3_600 * SECOND,
    10_800 * SECOND,
    21_600 * SECOND,
    43_200 * SECOND,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// How many labels the axis has at the most.
const LABELS: u64 = 7;

/// The figure of one policy. Those of several have the same axes, since they have the same requests.
pub(super) struct Plot<'a> {
    /// The number of the policy, which tells ids of one page apart.
    pub(super) policy: usize,
    pub(super) series: &'a Series,
}

impl fmt::Display for Plot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let top = self.top();
        write!(
            f,
            r#"<figure class="plot">
<figcaption><span>Requests in {}</span><span class="key admitted">admitted</span><span class="key limited">limited, and marked below however few</span></figcaption>
<div class="area"><span class="y" style="top:0">{}</span><span class="y" style="top:50%">{}</span>
"#,
            length(self.series.width),
            number(top),
            number(top / 2),
        )?;
        self.requests(f, top)?;
        f.write_str("</div>\n")?;
        self.strip(f)?;
        self.axis(f)?;
        f.write_str("</figure>\n")
    }
}

impl Plot<'_> {
    /// Admitted requests with those that are limited on top.
    fn requests(&self, f: &mut fmt::Formatter<'_>, top: u64) -> fmt::Result {
        let (n, bins) = (self.policy, &self.series.bins);
        let y = |requests: u64| HEIGHT - HEIGHT * as_float(requests) / as_float(top);
        write!(
            f,
            r#"<svg viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-labelledby="plot-{n} about-{n}"><title id="plot-{n}">Requests over time under policy {n}</title><desc id="about-{n}">{}</desc><path class="grid" d="M0 .5H{0}M0 50H{0}{}"/><path class="admitted" d="M0 100"#,
            bins.len(),
            self.in_words(),
            self.grid(),
        )?;
        let mut height = None;
        for (x, bin) in bins.iter().enumerate() {
            let admitted = bin.requests - bin.limited;
            if height != Some(admitted) {
                write!(f, "H{x}V{:.2}", y(admitted))?;
                height = Some(admitted);
            }
        }
        write!(f, r#"H{}V100Z"/><path class="limited" d=""#, bins.len())?;
        for (x, bin) in limited(bins) {
            let (low, high) = (y(bin.requests - bin.limited), y(bin.requests));
            write!(f, "M{x} {high:.2}h1V{low:.2}h-1Z")?;
        }
        f.write_str(r#""/></svg>"#)
    }

    /// A mark for each bin in which a request was limited, the stronger the more of them.
    fn strip(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bins = &self.series.bins;
        let most = limited(bins).map(|(_, bin)| bin.limited).max();
        // Wide enough to be seen.
        let width = (as_float(bins.len() as u64) / 300.0).max(1.0);
        write!(
            f,
            r#"<svg class="strip" viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true">"#,
            bins.len()
        )?;
        for (x, bin) in limited(bins) {
            let strength = as_float(bin.limited) / as_float(most.unwrap_or(1));
            write!(
                f,
                r#"<rect x="{x}" width="{width:.2}" height="10" opacity="{:.2}"><title>{}: {} of {} limited</title></rect>"#,
                0.35 + 0.65 * strength,
                time(self.series.begins(x), TIME),
                number(bin.limited),
                number(bin.requests),
            )?;
        }
        f.write_str("</svg>\n")
    }

    /// The labels below. Where there is little room, days are enough if there are a few, and else every
    /// other label.
    fn axis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.labels().filter(|at| at.is_multiple_of(DAY)).count();
        let class = if (2..=4).contains(&days) {
            "x days"
        } else {
            "x"
        };
        write!(f, r#"<div class="{class}" aria-hidden="true">"#)?;
        for at in self.labels() {
            let left = 100.0 * self.x(at) / as_float(self.series.bins.len() as u64);
            // A label that begins later would not fit.
            if left > 94.0 {
                break;
            }
            let (class, format) = match (at % DAY, at % (60 * SECOND)) {
                (0, _) if self.series.width >= DAY => ("day", "%b %Y"),
                (0, _) => ("day", "%-d %b"),
                (_, 0) => ("time", "%H:%M"),
                _ => ("time", "%H:%M:%S"),
            };
            let label = time(at, format);
            write!(
                f,
                r#"<span class="{class}" style="left:{left:.2}%">{label}</span>"#
            )?;
        }
        f.write_str("</div>\n")
    }

    /// Lines at the labels of the axis.
    fn grid(&self) -> String {
        let lines = self.labels().map(|at| format!("M{:.2} 0V100", self.x(at)));
        lines.collect()
    }

    fn labels(&self) -> impl Iterator<Item = u64> {
        let (begin, end) = (
            self.series.begins(0),
            self.series.begins(self.series.bins.len()),
        );
        let fits = |step: u64| (end - begin) / step < LABELS;
        let doubled =
            std::iter::successors(Some(2 * STEPS[STEPS.len() - 1]), |step| Some(2 * step));
        let mut steps = STEPS.into_iter().chain(doubled);
        let step = steps.find(|step| fits(*step)).unwrap_or(u64::MAX);
        (begin.div_ceil(step)..)
            .map(move |n| n * step)
            .take_while(move |at| *at < end)
    }

    /// Where a time is, in bins from the beginning.
    fn x(&self, at: u64) -> f64 {
        as_float(at - self.series.begins(0)) / as_float(self.series.width)
    }

    /// The least round number that no bin exceeds.
    fn top(&self) -> u64 {
        let most = self.series.bins.iter().map(|bin| bin.requests).max();
        let most = most.unwrap_or(0).max(2);
        let mut power = 1;
        loop {
            let round = [2, 4, 6, 8, 10].map(|digit| digit * power);
            if let Some(round) = round.into_iter().find(|round| *round >= most) {
                return round;
            }
            power *= 10;
        }
    }

    /// What the picture shows, for those who do not see it.
    fn in_words(&self) -> String {
        let bins = &self.series.bins;
        let sum = |of: fn(&Bin) -> u64| bins.iter().map(of).sum::<u64>();
        let (requests, turned_away) = (sum(|bin| bin.requests), sum(|bin| bin.limited));
        let all = format!(
            "{} of {} requests are limited, {}.",
            number(turned_away),
            number(requests),
            share(turned_away, requests),
        );
        let most = limited(bins).max_by_key(|(_, bin)| bin.limited);
        let Some((at, bin)) = most else { return all };
        format!(
            "{all} Most of them in the {} from {} UTC: {} of {}.",
            length(self.series.width),
            time(self.series.begins(at), TIME),
            number(bin.limited),
            number(bin.requests),
        )
    }
}

fn limited(bins: &[Bin]) -> impl Iterator<Item = (usize, &Bin)> {
    bins.iter().enumerate().filter(|(_, bin)| bin.limited > 0)
}

#[expect(clippy::cast_precision_loss, reason = "it is for a place in a picture")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(series: &Series) -> String {
        Plot { policy: 1, series }.to_string()
    }

    #[test]
    fn what_is_limited_stands_on_what_is_admitted() {
        let mut series = Series::new();
        for (second, limited) in [(10, false), (10, false), (10, true), (12, false)] {
            series.add(second * SECOND, limited);
        }
        let plot = plot(&series);
        // The axis ends at 4; a gap is at the bottom.
        assert!(
            plot.contains(r#"class="admitted" d="M0 100H0V50.00H1V100.00H2V75.00H3V100Z""#),
            "{plot}"
        );
        assert!(
            plot.contains(r#"class="limited" d="M0 25.00h1V50.00h-1Z""#),
            "{plot}"
        );
        assert!(
            plot.contains("<title>1 Jan 00:00:10: 1 of 3 limited</title>"),
            "{plot}"
        );
        assert!(
            plot.contains("1 of 4 requests are limited, 25.00 %."),
            "{plot}"
        );
    }

    #[test]
    fn the_axis_has_a_few_labels_however_long_the_log_is() {
        for seconds in [1, 59, 3_600, 86_400, 10_000_000, 300_000_000] {
            let mut series = Series::new();
            series.add(1_431_857_103 * SECOND, false);
            series.add((1_431_857_103 + seconds) * SECOND, false);
            let labels = Plot {
                policy: 1,
                series: &series,
            }
            .labels()
            .count();
            assert!((1..=8).contains(&labels), "{seconds} s: {labels}");
        }
    }
}
