use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use flate2::{Compression, write::GzEncoder};

use crate::program::Program;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay.log");
const LOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logs");
/// A quarter of its lines is broken.
const LENIENT: &str = "--max-unreadable=25%";
const JSON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay.jsonl");

fn run(arguments: &[&str]) -> Output {
    let output = Program::command("replay").args(arguments).output();
    output.expect("the example is built together with this test")
}

/// What it prints.
fn printed(arguments: &[&str]) -> String {
    shown(&run(arguments))
}

/// What it prints about a log that it reads from standard input.
fn printed_of(log: impl AsRef<[u8]>, arguments: &[&str]) -> String {
    shown(&run_on(log.as_ref(), arguments))
}

/// What it says of a log on standard input that it cannot replay.
fn complaint_of(log: impl AsRef<[u8]>, arguments: &[&str]) -> String {
    said(&run_on(log.as_ref(), arguments))
}

fn run_on(log: &[u8], arguments: &[&str]) -> Output {
    let mut program = Program::command("replay")
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built together with this test");
    let mut input = program.stdin.take().expect("piped");
    thread::scope(|scope| {
        // A log may be given up before its end.
        scope.spawn(move || input.write_all(log));
        program.wait_with_output().expect("it ends")
    })
}

fn shown(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "no progress where nobody sees it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it says of what cannot work.
fn complaint(arguments: &[&str]) -> String {
    said(&run(arguments))
}

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// Writes a file of this test run, and returns its path.
fn file(name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, contents).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_ref()).expect("in memory");
    packer.finish().expect("in memory")
}

/// A request of a client at a second of the test's day.
fn line(client: &str, second: u32) -> String {
    let [hour, minute, second] = [second / 3600, second / 60 % 60, second % 60];
    format!(
        "{client} - - [17/May/2015:{hour:02}:{minute:02}:{second:02} +0000] \"GET / HTTP/1.1\" 200 1\n"
    )
}

/// One request of a client in each of these seconds.
fn lines(client: &str, seconds: impl IntoIterator<Item = u32>) -> String {
    seconds
        .into_iter()
        .map(|second| line(client, second))
        .collect()
}

/// The cells of a policy in the table that compares them.
fn row(printed: &str, policy: usize) -> Vec<&str> {
    let mut table = printed
        .lines()
        .skip_while(|line| !line.starts_with("   requests"));
    let row = table.nth(policy).expect("a line for each policy");
    let cells = row.split("  ").map(str::trim);
    cells.filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn policies_are_compared_by_what_they_would_have_done() {
    let printed = printed(&[
        LOG,
        LENIENT,
        "--policy=limit=3",
        "--policy=free=3,algo=token_bucket,burst=1",
        "--policy=limit=100",
    ]);
    let expected = r#"
replay.log: 12 requests of 4 clients
from 17 May 2015 10:00:00 to 17 May 2015 10:02:01 UTC

1  limit=3
2  free=3,algo=token_bucket,burst=1
3  limit=100

   requests  limited    share  clients  first            last             worst minute
1        12        3  25.00 %        2  17 May 10:00:30  17 May 10:02:01  2 at 17 May 10:00
2        12        5  41.67 %        2  17 May 10:00:10  17 May 10:02:01  3 at 17 May 10:02
3        12        0      0 %        0  –                –                –

1  limit=3
   when: ··············█····█·······································█

   most limited       requests  limited    share  first            last
   203.0.113.7               6        2  33.33 %  17 May 10:00:30  17 May 10:00:40
   2001:db8:1:2::/64         4        1  25.00 %  17 May 10:02:01  17 May 10:02:01

2  free=3,algo=token_bucket,burst=1
   when: ····▃·········▃············································█

   most limited       requests  limited    share  first            last
   2001:db8:1:2::/64         4        3  75.00 %  17 May 10:02:00  17 May 10:02:01
   203.0.113.7               6        2  33.33 %  17 May 10:00:10  17 May 10:00:30

Left out: 3 lines that cannot be read, and 1 line without a request.
replay.log:4: expected a date such as [17/May/2015:10:05:03 +0000]: nonsense
replay.log:9: expected the client's IP address before the date, or in a field after the user
agent: <script>alert("&")</script> - - [17/May/2015:10:00:31 +0000] "GET / HTTP/1.1" 200 1
replay.log:16: expected a date such as [17/May/2015:10:05:03 +0000]: 198.51.100.9 - -
[17/May/2015:10:02:61 +0000] "GET /search HTTP/1.1" 200 512
replay.log:17: expected a request such as "GET /path HTTP/1.1", and not "-": 198.51.100.9 - -
[17/May/2015:10:02:02 +0000] "-" 408 0
The log's times are whole seconds, so that all requests of a second were replayed at one
instant.
"#;
    assert_eq!(printed.trim(), expected.trim());
}

#[test]
fn each_option_of_a_policy_and_the_filter_have_their_effect() {
    let limited = |arguments: &[&str]| {
        let printed = printed(&[&[LOG, LENIENT], arguments].concat());
        let limited = row(&printed, 1)[2].parse::<u32>();
        limited.expect("a number")
    };
    assert_eq!(limited(&["--policy=limit=3,key=global"]), 4 + 2);
    assert_eq!(limited(&["--policy=limit=4,cost=2"]), 3 + 2);
    assert_eq!(limited(&["--policy=limit=1,per=15s"]), 2 + 3);
    assert_eq!(limited(&["--policy=limit=2,algo=fixed_window"]), 3 + 2);
    assert_eq!(limited(&["--policy=limit=2,algo=sliding_window"]), 3 + 2);
    // Without a burst of its own a bucket holds the limit.
    assert_eq!(limited(&["--policy=limit=3,algo=token_bucket"]), 1);
    assert_eq!(limited(&["--policy=limit=1,key=global,per=1h"]), 11);

    let login = printed(&[LOG, LENIENT, "--path=/login", "--policy=limit=1"]);
    assert!(
        login.starts_with("replay.log: 1 request for /login… of 1 client\n"),
        "{login}"
    );
    let search = printed(&[LOG, LENIENT, "--path=/search?q=1", "--policy=limit=1"]);
    assert!(
        search.contains(": 3 requests for /search?q=1… of 3 clients\n"),
        "{search}"
    );
}

#[test]
fn json_lines_may_say_a_tier_and_stand_among_others() {
    let printed = printed(&[
        JSON,
        LENIENT,
        "--policy=free=2,pro=2,internal=unlimited",
        "--policy=limit=2",
        "--policy=limit=1,per=300ms",
    ]);
    assert!(
        printed.starts_with("replay.jsonl: 8 requests of 1 client\n"),
        "{printed}"
    );
    // The third without a tier, and the third of the tier pro.
    assert_eq!(row(&printed, 1)[2], "2");
    assert_eq!(row(&printed, 2)[2], "6");
    // At 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.0 and 3.0 s.
    assert_eq!(row(&printed, 3)[2], "3");
    assert!(
        printed.contains("\nreplay.jsonl:9: expected the client's IP address, named client_ip"),
        "{printed}"
    );
    assert!(!printed.contains("whole seconds"), "{printed}");
    assert!(!printed.contains("on which tier"), "{printed}");

    let without = self::printed(&[LOG, LENIENT, "--policy=free=1,pro=2"]);
    assert!(
        without.contains("The log says of no request on which tier it is"),
        "{without}"
    );
}

#[test]
fn what_comes_too_late_is_replayed_at_once_and_told_of() {
    // A request that took an hour, in a log that has the times at which requests began.
    let log = lines("::1", 3_600..4_600) + &line("::1", 1_000) + &lines("::1", 4_600..5_600);
    let printed = printed_of(&log, &["--policy=limit=1,per=1h"]);
    assert_eq!(row(&printed, 1)[1..3], ["2,001", "2,000"]);
    assert!(
        printed.contains("\n1 request came in the log after later ones"),
        "{printed}"
    );
    assert!(printed.contains("raise --reorder"), "{printed}");

    let printed = printed_of(&log, &["--policy=limit=1,per=1h", "--reorder=1h"]);
    assert!(
        printed.contains("\nfrom 17 May 2015 00:16:40 to"),
        "{printed}"
    );
    assert!(!printed.contains("came in the log after"), "{printed}");
}

#[test]
fn logs_that_were_put_together_in_a_wrong_order_are_an_error() {
    let (old, new) = (lines("::1", 0..600), lines("::1", 1_000..1_600));
    let policy = "--policy=limit=10,per=1h";
    let whole = printed_of(format!("{old}{new}"), &[policy]);
    assert_eq!(row(&whole, 1)[1..3], ["1,200", "1,190"]);

    let said = complaint_of(format!("{new}{old}"), &[policy]);
    assert!(
        said.starts_with("replay: standard input:601: out of order"),
        "{said}"
    );
    assert!(
        said.contains("help: a log may be in several files: give the files"),
        "{said}"
    );
    // However few the old ones are.
    for old in [1, 9, 10, 11] {
        let said = complaint_of(format!("{new}{}", lines("::1", 0..old)), &[policy]);
        assert!(said.contains("out of order"), "{old}: {said}");
    }

    // As files they are merged by time, in whatever order they come and however they are packed.
    let old = file("order.log.2.gz", gzip(old));
    let new = file("order.log.1", new);
    for logs in [[&old, &new], [&new, &old]] {
        let printed = printed(&[logs[0], logs[1], policy]);
        let (_, report) = printed.split_once(": ").expect("a title");
        assert_eq!(report, whole.split_once(": ").expect("a title").1);
    }
}

#[test]
fn logs_of_several_servers_are_merged() {
    let even: String = (0..1_000).map(|n| line("203.0.113.7", 2 * n)).collect();
    let odd: String = (0..1_000).map(|n| line("203.0.113.7", 2 * n + 1)).collect();
    let (even, odd) = (file("even.log", even), file("odd.log.gz", gzip(odd)));
    let policy = "--policy=limit=1,per=2s,algo=fixed_window";
    let printed = printed(&[&odd, &even, policy]);
    assert!(
        printed.starts_with("odd.log.gz and even.log: 2,000 requests of 1 client\n"),
        "{printed}"
    );
    assert_eq!(row(&printed, 1)[1..3], ["2,000", "1,000"]);
    // Files of one name are told apart in messages.
    let (one, two) = (
        file("same.log", "nonsense\n"),
        file("sub/same.log", "nonsense\n"),
    );
    let said = complaint(&[&one, &two, policy]);
    assert!(said.contains(&format!("{one}:1: expected")), "{said}");
    // A log that is named twice, as by a link beside it, is one log.
    let link = format!("{even}.link");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(&even, &link).expect("a link");
    assert_eq!(self::printed(&[&odd, &even, &link, &even, policy]), printed);
    // Standard input is one of the logs.
    let log = fs::read(&odd).expect("the log");
    let of_input = printed_of(log, &[&even, policy]);
    let same = printed.replace("odd.log.gz and even.log", "standard input and even.log");
    assert_eq!(of_input, same);
}

#[test]
fn rotated_logs_are_open_one_after_the_other() {
    let logs: Vec<String> = (0..100)
        .map(|day| {
            file(
                &format!("rotated.{day}.log"),
                lines("::1", [day * 600, day * 600 + 1]),
            )
        })
        .collect();
    let program = Program::command("replay");
    // With fewer descriptors than there are logs.
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -n 32 && exec "$0" --policy=limit=1 "$@""#])
        .arg(program.get_program())
        .args(&logs)
        .output()
        .expect("a shell");
    let printed = shown(&output);
    assert!(
        printed.starts_with("rotated.0.log and 99 more: 200 requests of 1 client\n"),
        "{printed}"
    );
    assert_eq!(row(&printed, 1)[2], "100");
}

#[test]
fn a_line_of_any_length_is_a_line() {
    let log = format!(
        "{}\n{}",
        "x".repeat(3_000_000),
        fs::read_to_string(LOG).expect("the log")
    );
    let printed = printed_of(&log, &[LENIENT, "--policy=limit=3"]);
    assert!(
        printed.contains("Left out: 4 lines that cannot be read, and 1 line without a request"),
        "{printed}"
    );
    assert!(
        printed.contains("\nstandard input:1: expected a line of at most 1048576 bytes:\nxxx"),
        "{printed}"
    );
    assert_eq!(row(&printed, 1)[1..3], ["12", "3"]);
}

#[test]
fn of_more_clients_than_can_be_remembered_the_busiest_are() {
    let line = |client: Ipv4Addr| {
        format!("{client} - - [17/May/2015:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1\n")
    };
    let busy = [Ipv4Addr::new(203, 0, 113, 7); 5];
    let others = (0..200_000).map(|n| Ipv4Addr::from_bits(0x0a00_0000 + n));
    let log: String = busy.into_iter().chain(others).map(line).collect();
    let printed = printed_of(&log, &[LENIENT, "--policy=limit=3"]);
    assert!(
        printed.starts_with("standard input: 200,005 requests of 200,000+ clients\n"),
        "{printed}"
    );
    assert_eq!(row(&printed, 1)[1..5], ["200,005", "2", "<0.01 %", "1+"]);
    assert!(
        printed.contains("\n   203.0.113.7          5        2  40.00 %"),
        "{printed}"
    );
    assert!(
        printed.contains("There are more than 200,000 clients"),
        "{printed}"
    );
}

#[test]
fn the_page_is_one_file_and_escapes_what_is_in_the_log() {
    let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/replay.html");
    let printed = printed(&[
        LOG,
        LENIENT,
        "--policy=limit=3",
        "--policy=limit=100",
        "--html",
        file,
    ]);
    assert!(
        printed.ends_with(&format!("\nThe plots are in {file}\n")),
        "{printed}"
    );

    let page = fs::read_to_string(file).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    assert!(
        page.contains("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;"),
        "{page}"
    );
    for absent in ["<script", "alert(\"", "http:", "https:", "url("] {
        assert!(!page.contains(absent), "{absent}");
    }
    let count = |part: &str| page.matches(part).count();
    assert_eq!(count("<figure"), 2);
    assert_eq!(count("<svg"), count("</svg>"));
    assert_eq!(count("<desc id"), 2);
    assert_eq!(count("<tr>"), count("</tr>"));
    // 10:00:30, 10:00:40 and 10:02:01 under the first policy.
    assert_eq!(count("<rect"), 3);
    assert!(
        page.contains(r#"<th scope="row">2001:db8:1:2::/64</th>"#),
        "{page}"
    );
    assert!(
        page.contains("3 of 12 requests are limited, 25.00 %."),
        "{page}"
    );
    assert_eq!(count("Nobody would have been limited."), 1);
}

#[test]
fn a_page_that_cannot_be_written_does_not_cost_the_tables() {
    let arguments = [LOG, LENIENT, "--policy=limit=3", "--html=/nowhere/a.html"];
    let said = complaint(&arguments);
    assert!(
        said.starts_with("replay: cannot write /nowhere/a.html: "),
        "{said}"
    );
    let output = run(&arguments);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(row(&printed, 1)[1..3], ["12", "3"]);
    assert!(!printed.contains("The plots are in"), "{printed}");
}

#[test]
fn a_page_is_written_over_another_page_and_nothing_else() {
    let log = file("kept.log", lines("::1", 0..9));
    let html = format!("--html={log}");
    let said = complaint(&[LOG, LENIENT, "--policy=limit=3", &html]);
    assert!(
        said.contains("kept.log is there already and is not a page"),
        "{said}"
    );
    assert_eq!(
        fs::read_to_string(&log).expect("the log"),
        lines("::1", 0..9)
    );
    let page = file("page.html", "");
    for _ in 0..2 {
        printed(&[LOG, LENIENT, "--policy=limit=3", "--html", &page]);
        let written = fs::read_to_string(&page).expect("the page");
        assert!(written.ends_with("</html>\n"), "{written}");
    }
}

#[test]
fn who_has_seen_enough_may_close_the_output() {
    let mut program = Program::command("replay")
        .args(["-", LENIENT, "--policy=limit=3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built together with this test");
    drop(program.stdout.take());
    let mut input = program.stdin.take().expect("piped");
    let log = fs::read(LOG).expect("the log");
    input.write_all(&log).expect("it reads all");
    drop(input);
    let output = program.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn what_cannot_work_is_said_in_a_sentence() {
    let empty = concat!(env!("CARGO_TARGET_TMPDIR"), "/empty.log");
    let broken = concat!(env!("CARGO_TARGET_TMPDIR"), "/broken.log");
    File::create(empty).expect("a file");
    fs::write(broken, "a\nb\n").expect("a file");
    let directory = env!("CARGO_TARGET_TMPDIR");
    let cases: [(&[&str], &str); 8] = [
        (
            &["/nowhere.log", "--policy=limit=3"],
            "replay: cannot read /nowhere.log: No such file",
        ),
        (
            &[directory, "--policy=limit=3"],
            "is a directory: name the logs in it",
        ),
        (
            &[empty, "--policy=limit=3"],
            "replay: empty.log has no request to replay: it is empty,",
        ),
        (
            &[broken, "--policy=limit=3"],
            "replay: broken.log: 2 of 2 lines cannot be read (100.0 %, and at most 5 % may be)\n  broken.log:1: expected a date",
        ),
        (
            &[LOG, LENIENT, "--path=/none", "--policy=limit=3"],
            "no request whose path begins with /none",
        ),
        (
            &[LOG, "--policy=free=60,brust=20"],
            "unknown option `brust`: did you mean `burst`?",
        ),
        (&[LOG, "--policy=limit=0"], "`limit=0` must be at least 1"),
        (&[LOG], "--policy <POLICY>"),
    ];
    for (arguments, expected) in cases {
        let said = complaint(arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// What is printed about the samples, of which all have the same requests.
const SAMPLE: &str = "20 requests of 4 clients
from 17 May 2015 10:00:00 to 17 May 2015 10:02:06 UTC

1  limit=3

   requests  limited    share  clients  first            last             worst minute
1        20        6  30.00 %        3  17 May 10:00:30  17 May 10:01:01  5 at 17 May 10:00

1  limit=3
   when: ··············██··██····█···█·······························

   most limited       requests  limited    share  first            last
   203.0.113.7               8        3  37.50 %  17 May 10:00:30  17 May 10:00:41
   2001:db8:1:2::/64         6        2  33.33 %  17 May 10:00:33  17 May 10:00:52
   198.51.100.9              4        1  25.00 %  17 May 10:01:01  17 May 10:01:01

The log's times are whole seconds, so that all requests of a second were replayed at one
instant.
";

#[test]
fn the_same_requests_in_each_format_give_the_same_report() {
    let samples = [
        ("alb.log", "alb"),
        ("apache-forwarded.log", "apache"),
        ("apache-vhost.log", "vhost_combined"),
        ("caddy.jsonl", "caddy"),
        ("cloudfront.log", "cloudfront"),
        ("combined.log", "combined"),
        ("common.log", "common"),
        ("cri.log", "common"),
        ("docker.jsonl", "auto"),
        ("docker.log", "common"),
        ("ecs.jsonl", "ecs"),
        ("elb.log", "elb"),
        ("envoy.jsonl", "json"),
        ("envoy.log", "envoy"),
        ("gcp.jsonl", "gcp"),
        ("haproxy.log", "haproxy"),
        ("iis.log", "iis"),
        ("ingress-nginx.log", "ingress-nginx"),
        ("nginx-iso8601.log", "nginx"),
        ("nginx-main.log", "nginx"),
        ("nginx.jsonl", "json"),
        ("syslog-rfc3164.log", "common"),
        ("syslog-rfc5424.log", "common"),
        ("traefik.jsonl", "traefik-json"),
        ("traefik.log", "traefik"),
    ];
    let files = fs::read_dir(LOGS).expect("the samples").map(|file| {
        let name = file.expect("a sample").file_name();
        name.into_string().expect("UTF-8")
    });
    let names = samples.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(files.collect::<BTreeSet<_>>(), names.collect());

    for (name, format) in samples {
        let log = format!("{LOGS}/{name}");
        let detected = printed(&[&log, "--policy=limit=3"]);
        assert_eq!(detected, format!("{name}: {SAMPLE}"));
        let forced = printed(&[&log, "--policy=limit=3", "--format", format]);
        assert_eq!(forced, detected);
    }
    // All at once, whose lines may stand in one log.
    let mut all = String::new();
    for (name, _) in samples {
        all.push_str(&fs::read_to_string(format!("{LOGS}/{name}")).expect("the sample"));
    }
    let all = printed_of(all, &["--policy=limit=3", "--reorder=10m"]);
    assert!(
        all.starts_with("standard input: 500 requests of 4 clients\n"),
        "{all}"
    );
    assert!(!all.contains("Left out"), "{all}");
}

#[test]
fn logs_may_be_packed_and_come_from_any_system() {
    let sample = fs::read_to_string(format!("{LOGS}/combined.log")).expect("the sample");
    let (first, second) = sample.split_at(sample.match_indices('\n').nth(7).expect("lines").0 + 1);
    let windows = format!("\u{feff}{}", sample.replace('\n', "\r\n"));
    let logs: [(&str, Vec<u8>); 7] = [
        ("plain.log", sample.clone().into()),
        ("one.log.gz", gzip(&sample)),
        (
            "members.log.gz",
            [gzip(first), gzip(""), gzip(second)].concat(),
        ),
        ("windows.log", windows.clone().into()),
        ("windows.log.gz", gzip(windows)),
        ("open.log", sample.trim_end().into()),
        (
            "hole.log",
            format!("{}{sample}", "\0".repeat(100_000)).into(),
        ),
    ];
    for (name, log) in logs {
        let expected = format!("standard input: {SAMPLE}");
        assert_eq!(printed_of(&log, &["--policy=limit=3"]), expected, "{name}");
        // What a file is called does not matter.
        let path = file(name, &log);
        assert_eq!(
            printed(&[&path, "--policy=limit=3"]),
            format!("{name}: {SAMPLE}")
        );
    }

    let said = complaint_of(sample.replace('\n', "\r"), &["--policy=limit=3"]);
    assert!(said.contains("expected line feeds"), "{said}");

    let cut = &gzip(sample)[..100];
    let others: [(&[u8], &str); 5] = [
        (cut, "cannot read line"),
        (b"\xfd7zXZ\x00\x00", "xzcat - | replay -"),
        (b"\x28\xb5\x2f\xfd\x00", "zstdcat"),
        (b"BZh91AY", "bzcat"),
        (b"\xff\xfe1\x002\x00", "in UTF-16"),
    ];
    for (log, expected) in others {
        let said = complaint_of(log, &["--policy=limit=3"]);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_log_that_is_mostly_unreadable_is_an_error() {
    let mixed =
        |broken: usize, whole: u32| "nonsense\u{1b}[2J\n".repeat(broken) + &lines("::1", 0..whole);
    let policy = "--policy=limit=3";
    let printed = printed_of(mixed(5, 95), &[policy]);
    assert!(
        printed.contains("\nLeft out: 5 lines that cannot be read.\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\nstandard input:1: expected a date such as [17/May/2015:10:05:03 +0000]: nonsense\\u{1b}[2J\n"),
        "{printed}"
    );

    let said = complaint_of(mixed(6, 94), &[policy]);
    assert!(
        said.starts_with("replay: standard input: 6 of 100 lines cannot be read (6.0 %, and at most 5 % may be)\n  standard input:1: expected a date"),
        "{said}"
    );
    assert_eq!(said.matches("standard input:").count(), 6, "{said}");
    assert!(
        said.contains("\nhelp: known formats are common and combined (Apache,"),
        "{said}"
    );
    printed_of(mixed(6, 94), &[policy, "--max-unreadable=6"]);
    complaint_of(mixed(1, 999), &[policy, "--max-unreadable=0"]);

    // It is said before the end of a log that goes on.
    let said = complaint_of(mixed(1_000_000, 0), &[policy]);
    assert!(
        said.starts_with("replay: standard input: 10000 of 10000 lines"),
        "{said}"
    );

    // Each file is judged by itself: an error log is no access log.
    let access = file("access.log", lines("::1", 0..1_000));
    let error = file(
        "error.log",
        "2015/05/17 10:05:03 [notice] 1#1: start worker processes\n",
    );
    let said = complaint(&[&access, &error, policy]);
    assert!(
        said.starts_with("replay: error.log: 1 of 1 lines cannot be read"),
        "{said}"
    );

    // What bots send is not the log's fault.
    let bots =
        lines("::1", 0..20).replace("GET / HTTP/1.1", r"\x16\x03\x01") + &lines("::1", 20..30);
    let printed = printed_of(bots, &[policy]);
    assert!(
        printed.starts_with("standard input: 10 requests of 1 client\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\nLeft out: 20 lines without a request.\n"),
        "{printed}"
    );
}

#[test]
fn a_line_is_shown_by_its_beginning() {
    let printed = printed_of(
        format!("{}\n{}", "nonsense ".repeat(1_000), lines("::1", 0..100)),
        &["--policy=limit=3"],
    );
    let (_, shown) = printed.split_once("+0000]: nonsense").expect("the line");
    let (shown, _) = shown.split_once('…').expect("an end");
    assert!(
        (180..=200).contains(&("nonsense".len() + shown.len())),
        "{shown}"
    );
}

#[test]
fn doubts_about_the_clients_addresses_are_told() {
    let policy = "--policy=limit=3";
    let proxy = printed_of(lines("10.0.0.2", 0..100), &[policy]);
    assert!(
        proxy.contains("\nAll requests are from one address, 10.0.0.2."),
        "{proxy}"
    );
    assert!(proxy.contains("$http_x_forwarded_for in nginx"), "{proxy}");
    let proxies = printed_of(
        lines("10.0.0.2", 0..100) + &lines("10.0.0.3", 100..200) + &line("203.0.113.7", 200),
        &[policy],
    );
    assert!(
        proxies.contains(
            "\n200 requests (99.50 %) are from addresses of private or trusted networks."
        ),
        "{proxies}"
    );
    // Half of the requests came through a proxy.
    let half = printed_of(
        lines("10.0.0.2", 0..50) + &lines("203.0.113.7", 50..100),
        &[policy],
    );
    assert!(half.contains("\n50 requests (50.00 %) are from"), "{half}");
    let one = printed_of(line("10.0.0.2", 0), &[policy]);
    assert!(!one.contains("one address"), "{one}");

    // A CDN, whose addresses are public.
    let cdn: String = (0..100)
        .map(|n| {
            line(&format!("198.51.100.{}", n % 7), n)
                .replace(" 1\n", &format!(" 1 \"-\" \"curl\" \"203.0.113.{n}\"\n"))
        })
        .collect();
    let ignored = printed_of(&cdn, &[policy]);
    assert!(
        ignored.starts_with("standard input: 100 requests of 7 clients\n"),
        "{ignored}"
    );
    assert!(
        ignored
            .contains("\n100 requests (100.00 %) were forwarded by an address that is not trusted"),
        "{ignored}"
    );
    let trusted = printed_of(&cdn, &[policy, "--trusted=10.0.0.0/8,198.51.100.0/24"]);
    assert!(
        trusted.starts_with("standard input: 100 requests of 100 clients\n"),
        "{trusted}"
    );
    assert!(!trusted.contains("were forwarded by"), "{trusted}");
}

#[test]
fn times_without_a_zone_are_in_the_one_that_is_given() {
    let log = r#"{"time":"2015-05-17 12:00:00.5","ip":"::1"}"#;
    let of = |zone: &str| printed_of(log, &["--policy=limit=3", "--zone", zone]);
    assert!(of("UTC").contains("\nfrom 17 May 2015 12:00:00 to"));
    assert!(of("+02:00").contains("\nfrom 17 May 2015 10:00:00 to"));
    assert!(of("-0530").contains("\nfrom 17 May 2015 17:30:00 to"));
}

#[test]
fn wrong_arguments_are_named_with_their_remedy() {
    let cases = [
        ("--zone=Middle/Earth", "give an offset such as +02:00"),
        ("--trusted=10.0.0.0/40", "not a network such as 10.0.0.0/8"),
        ("--trusted=proxy", "not a network such as 10.0.0.0/8"),
        ("--reorder=soon", "not a length of time such as 30s"),
        ("--reorder=-2m", "not a length of time such as 30s"),
        ("--max-unreadable=101", "not a percentage from 0 to 100"),
        ("--max-unreadable=nan", "not a percentage from 0 to 100"),
        (
            "--format=nginxx",
            "invalid value 'nginxx' for '--format <FORMAT>'",
        ),
    ];
    for (argument, expected) in cases {
        let output = run(&[LOG, "--policy=limit=3", argument]);
        assert_eq!(output.status.code(), Some(2), "{argument}");
        let said = said(&output);
        assert!(said.contains(expected), "{argument}: {said}");
    }
}
