//! The page: one file, with nothing from elsewhere and no script.

use std::{fmt, fs::File, io::Read, path::Path};

use super::{
    Outcome, Report,
    plot::Plot,
    words::{DATE, MINUTE, TIME, number, share, time},
};

/// The beginning of a page.
const DOCTYPE: &str = "<!DOCTYPE html>";

/// A report as a page.
pub(crate) struct Page<'a>(pub(crate) &'a Report<'a>);

impl Page<'_> {
    /// Verifies that a page does not replace something else, such as a log that was taken for the option's
    /// value.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is there, and is neither empty nor a page.
    pub(crate) fn verify_target(file: &Path) -> Result<(), String> {
        if !file.metadata().is_ok_and(|about| about.is_file()) {
            return Ok(());
        }
        let mut begin = Vec::new();
        let read = File::open(file).and_then(|file| {
            let mut beginning = file.take(DOCTYPE.len() as u64);
            beginning.read_to_end(&mut begin)
        });
        if read.is_ok() && (begin.is_empty() || begin == DOCTYPE.as_bytes()) {
            return Ok(());
        }
        Err(format!(
            "{} is there already and is not a page: give --html the name of a new file",
            file.display()
        ))
    }
}

/// A text as it stands in a page, whatever is in it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        let (first, last) = report.times;
        write!(
            f,
            r#"{DOCTYPE}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Who would have been limited: {log}</title>
<style>
{css}</style>
</head>
<body>
<main>
<header>
<p class="over">{log}</p>
<h1>Who would have been limited</h1>
<p>{subject}, from <time>{first}</time> to <time>{last}</time> UTC</p>
</header>
"#,
            log = Escaped(&report.log),
            css = include_str!("page.css"),
            subject = Escaped(&report.subject()),
            first = time(first, DATE),
            last = time(last, DATE),
        )?;
        compared(f, report)?;
        for (n, outcome) in (1..).zip(&report.outcomes) {
            policy(f, n, outcome)?;
        }
        notes(f, report)?;
        f.write_str("</main>\n</body>\n</html>\n")
    }
}

/// All policies in one table.
fn compared(f: &mut fmt::Formatter<'_>, report: &Report<'_>) -> fmt::Result {
    f.write_str(
        r#"<div class="wide" role="region" aria-label="The policies compared" tabindex="0">
<table>
<thead><tr><th scope="col">Policy</th><th scope="col" class="n">Requests</th><th scope="col" class="n">Limited</th><th scope="col" class="n">Share</th><th scope="col" class="n">Clients limited</th><th scope="col">First</th><th scope="col">Last</th><th scope="col">Worst minute</th></tr></thead>
<tbody>
"#,
    )?;
    let requests = report.replay.requests;
    for (n, outcome) in (1..).zip(&report.outcomes) {
        let trial = outcome.trial;
        write!(
            f,
            r##"<tr><th scope="row"><a href="#policy-{n}">{}</a></th><td class="n">{}</td><td class="n strong">{}</td><td class="n">{}</td><td class="n">{}</td>"##,
            PolicyText(trial.policy().name()),
            number(requests),
            number(trial.limited),
            share(trial.limited, requests),
            report.clients_limited(outcome),
        )?;
        match trial.times {
            Some((first, last)) => writeln!(
                f,
                "<td>{}</td><td>{}</td><td>{} at {}</td></tr>",
                time(first, TIME),
                time(last, TIME),
                number(trial.worst.limited),
                time(trial.worst.begins, MINUTE),
            )?,
            None => f.write_str("<td>–</td><td>–</td><td>–</td></tr>\n")?,
        }
    }
    f.write_str("</tbody>\n</table>\n</div>\n")
}

/// One policy: when it limited, and whom.
fn policy(f: &mut fmt::Formatter<'_>, n: usize, outcome: &Outcome<'_>) -> fmt::Result {
    let trial = outcome.trial;
    write!(
        f,
        "<section id=\"policy-{n}\">\n<h2>{}</h2>\n{}",
        PolicyText(trial.policy().name()),
        Plot {
            policy: n,
            series: &trial.series
        },
    )?;
    if outcome.most_limited.is_empty() {
        return f.write_str("<p>Nobody would have been limited.</p>\n</section>\n");
    }
    f.write_str(
        r#"<div class="wide" role="region" aria-label="The most limited clients" tabindex="0">
<table>
<thead><tr><th scope="col">Most limited clients</th><th scope="col" class="n">Requests</th><th scope="col" class="n">Limited</th><th scope="col" class="n">Share</th><th scope="col">First</th><th scope="col">Last</th></tr></thead>
<tbody>
"#,
    )?;
    for row in &outcome.most_limited {
        writeln!(
            f,
            r#"<tr><th scope="row">{}</th><td class="n">{}</td><td class="n strong">{}</td><td class="n">{}</td><td>{}</td><td>{}</td></tr>"#,
            Escaped(&row.client),
            number(row.requests),
            number(row.limited.requests),
            share(row.limited.requests, row.requests),
            time(row.limited.first, TIME),
            time(row.limited.last, TIME),
        )?;
    }
    f.write_str("</tbody>\n</table>\n</div>\n</section>\n")
}

fn notes(f: &mut fmt::Formatter<'_>, report: &Report<'_>) -> fmt::Result {
    if report.notes.is_empty() {
        return Ok(());
    }
    f.write_str("<footer>\n<h2>Notes</h2>\n<ul>\n")?;
    for note in &report.notes {
        writeln!(f, "<li>{}</li>", Escaped(note))?;
    }
    f.write_str("</ul>\n</footer>\n")
}

/// A policy's text, which may be broken after its commas.
struct PolicyText<'a>(&'a str);

impl fmt::Display for PolicyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<code>")?;
        for (place, option) in self.0.split(',').enumerate() {
            if place > 0 {
                f.write_str(",<wbr>")?;
            }
            write!(f, "{}", Escaped(option))?;
        }
        f.write_str("</code>")
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            _ => fmt::Write::write_char(f, c),
        })
    }
}
