//! A day of the calendar. There is no clock on this floor: the caller says what day it is.

use std::fmt;

/// A day of the Gregorian calendar, such as the last one on which an allowance holds.
///
/// ```
/// use holdback::rule::Date;
///
/// let day = Date::parse("2027-01-31").expect("a date");
/// assert!(day < Date::from_unix_seconds(1_801_440_000));
/// assert_eq!(day.to_string(), "2027-01-31");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    /// The date written `YYYY-MM-DD` (RFC 3339, full-date).
    pub fn parse(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let mut part = |width: usize| {
            let digits = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
            digits.parse().ok()
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let real = parts.next().is_none() && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        real.then_some(Date { year, month, day })
    }

    /// The day, in UTC, of a moment counted in seconds from the start of 1970.
    pub fn from_unix_seconds(seconds: u64) -> Date {
        // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days: years begin in March,
        // so that the leap day is their last. Years beyond 9999 are not needed and end there.
        let days = (seconds / 86_400).min(2_932_896) as u32 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u32::from(month <= 2);
        Date { year, month, day }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_days() {
        for good in ["2027-01-01", "2024-02-29", "2000-02-29", "0001-12-31"] {
            assert_eq!(Date::parse(good).map(|date| date.to_string()).as_deref(), Some(good));
        }
        for bad in
            ["2027-1-1", "2023-02-29", "1900-02-29", "2027-13-01", "2027-00-01", "2027-01-32", "2027-01", "", "x"]
        {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn seconds_fall_on_days() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_798_761_600, "2027-01-01"),
            (253_402_300_799, "9999-12-31"),
            (u64::MAX, "9999-12-31"),
        ] {
            assert_eq!(Date::from_unix_seconds(seconds).to_string(), day);
        }
    }
}
