use std::{
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    process::{Output, Stdio},
};

use crate::program::Program;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay.log");
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
fn printed_of(log: &str, arguments: &[&str]) -> String {
    let mut program = Program::command("replay")
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built together with this test");
    let mut input = program.stdin.take().expect("piped");
    input.write_all(log.as_bytes()).expect("it reads all");
    drop(input);
    shown(&program.wait_with_output().expect("it ends"))
}

fn shown(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "no progress where nobody sees it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it says of what cannot work.
fn complaint(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
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

Left out: 4 lines that cannot be read.
Line 4: it has no date in brackets, as a line of an access log has: nonsense
Line 9: it has no IP address to know the client by: <script>alert("&")</script> - -
Line 16: its date is not one as 17/May/2015:10:05:03 +0000: 17/May/2015:10:02:61 +0000
Line 17: its request is not one as "GET /path HTTP/1.1": -
The log's times are whole seconds, so that all requests of a second were replayed at one
instant.
"#;
    assert_eq!(printed.trim(), expected.trim());
}

#[test]
fn each_option_of_a_policy_and_the_filter_have_their_effect() {
    let limited = |arguments: &[&str]| {
        let printed = printed(&[&[LOG], arguments].concat());
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

    let login = printed(&[LOG, "--path=/login", "--policy=limit=1"]);
    assert!(
        login.starts_with("replay.log: 1 request for /login… of 1 client\n"),
        "{login}"
    );
    let search = printed(&[LOG, "--path=/search?q=1", "--policy=limit=1"]);
    assert!(
        search.contains(": 3 requests for /search?q=1… of 3 clients\n"),
        "{search}"
    );
}

#[test]
fn json_lines_may_say_a_tier_and_stand_among_others() {
    let printed = printed(&[
        JSON,
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
        printed.contains("Line 9: it has no client: none of client_ip"),
        "{printed}"
    );
    assert!(!printed.contains("whole seconds"), "{printed}");
    assert!(!printed.contains("on which tier"), "{printed}");

    let without = self::printed(&[LOG, "--policy=free=1,pro=2"]);
    assert!(
        without.contains("The log says of no request on which tier it is"),
        "{without}"
    );
}

#[test]
fn what_comes_too_late_is_replayed_at_once_and_told_of() {
    let line =
        |time: &str| format!("::1 - - [17/May/2015:{time} +0000] \"GET / HTTP/1.1\" 200 1\n");
    let times = [
        "10:00:00", "10:10:00", "10:20:00", "10:00:02", "10:09:59", "10:20:01",
    ];
    let printed = printed_of(&times.map(line).concat(), &["--policy=limit=1,per=1h"]);
    assert!(
        printed.starts_with("standard input: 6 requests of 1 client\n"),
        "{printed}"
    );
    assert_eq!(row(&printed, 1)[1..4], ["6", "5", "83.33 %"]);
    assert_eq!(row(&printed, 1)[4..6], ["1", "17 May 10:10:00"]);
    assert!(
        printed.contains("\n2 requests came in the log after later ones"),
        "{printed}"
    );
    assert!(printed.contains("by up to 10"), "{printed}");
}

#[test]
fn a_line_of_any_length_is_a_line() {
    let log = format!(
        "{}\n{}",
        "x".repeat(1_000_000),
        fs::read_to_string(LOG).expect("the log")
    );
    let printed = printed_of(&log, &["--policy=limit=3"]);
    assert!(
        printed.contains("Left out: 5 lines that cannot be read"),
        "{printed}"
    );
    assert!(
        printed.contains("\nLine 1: it is longer than 65536 bytes\n"),
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
    let printed = printed_of(&log, &["--policy=limit=3"]);
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
    let arguments = [LOG, "--policy=limit=3", "--html=/nowhere/a.html"];
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
fn who_has_seen_enough_may_close_the_output() {
    let mut program = Program::command("replay")
        .args(["-", "--policy=limit=3"])
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
            "is a directory: name a log in it",
        ),
        (
            &[empty, "--policy=limit=3"],
            "replay: empty.log has no request to replay\n",
        ),
        (
            &[broken, "--policy=limit=3"],
            "request to replay\n2 lines could not be read. Line 1: it has no date",
        ),
        (
            &[LOG, "--path=/none", "--policy=limit=3"],
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
