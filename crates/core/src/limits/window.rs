//! Windows of the calendar, in which budgets count.

use jiff::{RoundMode, Span, Unit, ZonedDateTime, ZonedDateTimeRound, civil::Date, tz::TimeZone};

use crate::Timestamp;

/// How long a budget lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// An hour of the clock.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
    /// For ever.
    Total,
}

impl Window {
    /// The window of this length in which a moment lies, by the clocks of a zone: its beginning, and its end, which is the
    /// beginning of the next. A day is as long as the zone has it, with 23 hours or 25 where clocks are changed.
    ///
    /// `None` is for ever.
    pub fn around(self, moment: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let moment = jiff::Timestamp::from_millisecond(moment.as_millis()).ok()?;
        let moment = moment.to_zoned_datetime(zone.clone());
        let date = moment.date();
        let (begin, length) = match self {
            Self::Hour => return hour(&moment),
            Self::Day => (date, Span::new().days(1)),
            Self::Week => {
                let since_monday = date.weekday().to_monday_zero_offset();
                let monday = date.checked_sub(Span::new().days(since_monday)).ok()?;
                (monday, Span::new().weeks(1))
            }
            Self::Month => (date.first_of_month(), Span::new().months(1)),
            Self::Total => return None,
        };
        // Where there is no midnight, a day begins later.
        let start = |date: Date| date.to_zoned_datetime(zone.clone()).ok();
        let end = begin.checked_add(length).ok()?;
        Some((timestamp(&start(begin)?), timestamp(&start(end)?)))
    }
}

/// An hour has no calendar: clocks that are put back have it twice.
fn hour(moment: &ZonedDateTime) -> Option<(Timestamp, Timestamp)> {
    let down = ZonedDateTimeRound::new()
        .smallest(Unit::Hour)
        .mode(RoundMode::Trunc);
    let begin = moment.round(down).ok()?;
    let end = begin.checked_add(Span::new().hours(1)).ok()?;
    Some((timestamp(&begin), timestamp(&end)))
}

fn timestamp(moment: &ZonedDateTime) -> Timestamp {
    Timestamp::from_millis(moment.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).expect("a moment")
    }

    fn minute(text: &str) -> Timestamp {
        moment(&format!("{text}:00Z"))
    }

    fn zone(posix: &str) -> TimeZone {
        TimeZone::posix(posix).expect("a zone")
    }

    const UTC: &str = "UTC0";
    /// As in Berlin: clocks are put forward on 29 March 2026, and back on 25 October.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Clocks are put forward at midnight, of which there is then none.
    const SANTIAGO: &str = "<-04>4<-03>,M9.1.6/24,M4.1.6/24";
    const INDIA: &str = "IST-5:30";

    #[test]
    fn windows_begin_and_end_by_the_clocks_of_their_zone() {
        use Window::{Day, Hour, Month, Week};
        let rows = [
            (
                Hour,
                UTC,
                "2026-11-28T09:59 2026-11-28T09:00 2026-11-28T10:00",
            ),
            (
                Hour,
                INDIA,
                "2026-11-28T09:15 2026-11-28T08:30 2026-11-28T09:30",
            ),
            (
                Day,
                UTC,
                "2026-11-28T00:00 2026-11-28T00:00 2026-11-29T00:00",
            ),
            (
                Day,
                INDIA,
                "2026-11-28T18:30 2026-11-28T18:30 2026-11-29T18:30",
            ),
            (
                Day,
                BERLIN,
                "2026-03-29T12:00 2026-03-28T23:00 2026-03-29T22:00",
            ),
            (
                Day,
                BERLIN,
                "2026-10-25T12:00 2026-10-24T22:00 2026-10-25T23:00",
            ),
            (
                Day,
                SANTIAGO,
                "2026-09-06T12:00 2026-09-06T04:00 2026-09-07T03:00",
            ),
            (
                Hour,
                BERLIN,
                "2026-10-25T00:30 2026-10-25T00:00 2026-10-25T01:00",
            ),
            (
                Hour,
                BERLIN,
                "2026-10-25T01:30 2026-10-25T01:00 2026-10-25T02:00",
            ),
            (
                Week,
                UTC,
                "2026-11-29T23:59 2026-11-23T00:00 2026-11-30T00:00",
            ),
            (
                Week,
                UTC,
                "2026-11-23T00:00 2026-11-23T00:00 2026-11-30T00:00",
            ),
            (
                Week,
                BERLIN,
                "2026-03-29T21:59 2026-03-22T23:00 2026-03-29T22:00",
            ),
            (
                Month,
                UTC,
                "2028-02-29T12:00 2028-02-01T00:00 2028-03-01T00:00",
            ),
            (
                Month,
                BERLIN,
                "2026-12-31T22:59 2026-11-30T23:00 2026-12-31T23:00",
            ),
        ];
        for (window, name, times) in rows {
            let times: Vec<_> = times.split(' ').map(minute).collect();
            let found = window.around(times[0], &zone(name));
            assert_eq!(
                found,
                Some((times[1], times[2])),
                "{window:?} {name} {}",
                times[0]
            );
        }
        assert_eq!(
            Window::Total.around(moment("2026-11-28T00:00:00Z"), &TimeZone::UTC),
            None
        );
    }

    /// A thousand of each, from before clocks are put forward in one zone and back in another.
    #[test]
    fn the_end_of_a_window_is_the_beginning_of_the_next() {
        for zone in [BERLIN, SANTIAGO, INDIA].map(zone) {
            for window in [Window::Hour, Window::Day, Window::Week, Window::Month] {
                let mut begin = moment("2026-03-20T12:00:00Z");
                for _ in 0..1_000 {
                    let around = |at| window.around(at, &zone).expect("a window");
                    let (_, end) = around(begin);
                    let last = end.minus(std::time::Duration::from_millis(1));
                    assert_eq!(around(last).1, end, "{window:?} {end}");
                    assert_eq!(around(end).0, end, "{window:?} {end}");
                    begin = end;
                }
            }
        }
    }
}
