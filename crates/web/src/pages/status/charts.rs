//! Drawings, as the numbers of which an SVG is made; what they show stands in tables, too.

use std::fmt::Write;

use keygate_control::{Day, Hour};

use super::percent;
use crate::pages::moment::day;

/// How wide a bar is, and how far from one to the next.
const BAR_STEP: usize = 5;
/// How high bars are.
const BAR_HEIGHT: u32 = 32;
/// How far apart hours are.
const HOUR_STEP: usize = 10;
/// How high the line of response times is.
const LINE_HEIGHT: u64 = 40;

/// Below this much of a hundred, in hundredths of a percent, a day was bad.
const BAD_BELOW: u32 = 9_500;

/// A day of which something is known. The rest of its column stays as the ground is.
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) y: u32,
    pub(super) height: u32,
    pub(super) class: &'static str,
    pub(super) title: String,
}

/// The days of which something is known, as high as it is known of them.
pub(super) fn bars(days: &[Day]) -> Vec<Bar> {
    let bar = |(index, day): (usize, &Day)| {
        let up = day.uptime.basis_points()?;
        let known = day.uptime.known_basis_points();
        let height = (known * BAR_HEIGHT).div_ceil(10_000).max(2);
        Some(Bar {
            x: index * BAR_STEP,
            y: BAR_HEIGHT - height,
            height,
            class: match up {
                10_000 => "good",
                BAD_BELOW.. => "warn",
                _ => "bad",
            },
            title: format!("{}: {}", date(day), percent(up)),
        })
    };
    days.iter().enumerate().filter_map(bar).collect()
}

/// A day in the table.
pub(super) struct DayRow {
    pub(super) date: String,
    pub(super) up: String,
    pub(super) known: String,
    pub(super) failed: u64,
}

/// The days of which something is known, the latest first.
pub(super) fn day_rows(days: &[Day]) -> Vec<DayRow> {
    let row = |day: &Day| {
        Some(DayRow {
            date: date(day),
            up: percent(day.uptime.basis_points()?),
            known: percent(day.uptime.known_basis_points()),
            failed: day.uptime.tally.down,
        })
    };
    days.iter().rev().filter_map(row).collect()
}

fn date(of: &Day) -> String {
    day(&of.starts_at.to_string())
}

/// The response times of a day, as a line with gaps.
pub(super) struct Sparkline {
    /// The path of the line: `M0,20L10,18`.
    pub(super) path: String,
    /// What it says, in a sentence.
    pub(super) summary: String,
}

impl Sparkline {
    pub(super) fn new(hours: &[Hour]) -> Self {
        let times = hours.iter().filter_map(|hour| hour.response_ms);
        let (least, most) = (times.clone().min(), times.max());
        let summary = match (least, most) {
            (Some(least), Some(most)) if least < most => {
                format!("{least} to {most} ms")
            }
            (Some(all), _) => format!("{all} ms"),
            _ => "No response times yet.".to_owned(),
        };
        Self {
            path: line(hours, most.unwrap_or(0).max(1)),
            summary,
        }
    }
}

fn line(hours: &[Hour], most: u64) -> String {
    let mut path = String::new();
    let mut follows = false;
    for (index, hour) in hours.iter().enumerate() {
        if let Some(time) = hour.response_ms {
            let command = if follows { 'L' } else { 'M' };
            let y = LINE_HEIGHT - 2 - time * (LINE_HEIGHT - 4) / most;
            let x = index * HOUR_STEP;
            // An hour by itself is a line without length, which round ends make a dot.
            let dot = if follows { "" } else { "h0" };
            let _ = write!(path, "{command}{x},{y}{dot}");
        }
        follows = hour.response_ms.is_some();
    }
    path
}

/// An hour in the table.
pub(super) struct HourRow {
    pub(super) time: String,
    pub(super) response_ms: u64,
}

/// The hours of which something is known, the latest first.
pub(super) fn hour_rows(hours: &[Hour]) -> Vec<HourRow> {
    let row = |hour: &Hour| {
        let iso = hour.starts_at.to_string();
        Some(HourRow {
            time: format!("{}, {}", day(&iso), iso.get(11..16)?),
            response_ms: hour.response_ms?,
        })
    };
    hours.iter().rev().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keygate_core::Timestamp;

    fn hours(times: &[Option<u64>]) -> Vec<Hour> {
        let hour = |response_ms: &Option<u64>| Hour {
            starts_at: Timestamp::from_millis(0),
            response_ms: *response_ms,
        };
        times.iter().map(hour).collect()
    }

    #[test]
    fn the_line_breaks_where_nothing_is_known() {
        let shown = Sparkline::new(&hours(&[Some(9), Some(18), None, Some(0)]));
        assert_eq!(shown.path, "M0,20h0L10,2M30,38h0");
        assert_eq!(shown.summary, "0 to 18 ms");
        assert_eq!(Sparkline::new(&hours(&[None])).path, "");
    }
}
