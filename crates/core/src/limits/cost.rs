//! What use costs, exactly: in whole millionths of a millionth of a currency's unit.

use std::{cmp::Ordering, fmt, iter::Sum, ops::Add};

/// How many decimal places a cost has.
const PLACES: usize = 12;
/// How many a price of a million tokens may have, so that the cost of one token is exact.
const PRICE_PLACES: usize = 6;
/// How many digits an amount may have before its point.
const MAX_DIGITS: usize = 12;

/// An amount of money. It is never less than nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u128);

/// The text is no amount: digits, and a point and more digits if need be, like `12.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an amount like 12.50")]
pub struct InvalidAmount;

impl Cost {
    /// Reads an amount of at most 12 digits before the point and 12 after it.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        scaled(text, PLACES).map(Self)
    }

    /// The same with so many places after the point. Of what lies halfway the even one is taken.
    pub fn rounded(self, places: usize) -> String {
        let places = places.min(PLACES);
        let unit = power_of_ten(PLACES - places);
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        let is_up = match (rest * 2).cmp(&unit) {
            Ordering::Less => false,
            Ordering::Equal => whole % 2 == 1,
            Ordering::Greater => true,
        };
        let whole = whole + u128::from(is_up);
        let one = power_of_ten(places);
        match places {
            0 => whole.to_string(),
            _ => format!("{}.{:0places$}", whole / one, whole % one),
        }
    }
}

impl fmt::Display for Cost {
    /// All of its places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rounded(PLACES))
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// What one token costs.
    token: u128,
}

impl Price {
    /// Reads the price of a million tokens, of at most 12 digits before the point and 6 after it.
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        // A millionth of it has six places more.
        scaled(text, PRICE_PLACES).map(|token| Self { token })
    }

    /// What so many tokens cost.
    pub fn of(self, tokens: u64) -> Cost {
        Cost(self.token.saturating_mul(u128::from(tokens)))
    }
}

/// An amount as a whole number of what has so many decimal places.
fn scaled(text: &str, places: usize) -> Result<u128, InvalidAmount> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return Err(InvalidAmount),
        Some(parts) => parts,
        None => (text, ""),
    };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_amount = (1..=MAX_DIGITS).contains(&whole.len())
        && fraction.len() <= places
        && are_digits(whole)
        && are_digits(fraction);
    is_amount.then_some(()).ok_or(InvalidAmount)?;
    let digits = format!("{whole}{fraction:0<places$}");
    digits.parse().map_err(|_| InvalidAmount)
}

fn power_of_ten(places: usize) -> u128 {
    10_u128.pow(u32::try_from(places).expect("a few places"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(text: &str) -> Cost {
        Cost::parse(text).expect("an amount")
    }

    #[test]
    fn amounts_are_read_to_their_last_place() {
        for (text, expected) in [
            ("0", "0.000000000000"),
            ("10", "10.000000000000"),
            ("0.1", "0.100000000000"),
            ("007.50", "7.500000000000"),
            ("0.000000000001", "0.000000000001"),
            ("999999999999.999999999999", "999999999999.999999999999"),
        ] {
            assert_eq!(cost(text).to_string(), expected, "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            "1e3",
            " 1",
            "0x1",
            "٣",
            "1.2.3",
            "0.0000000000001",
            "1000000000000",
        ] {
            assert_eq!(Cost::parse(text), Err(InvalidAmount), "{text}");
        }
    }

    #[test]
    fn what_lies_halfway_is_rounded_to_the_even_one() {
        for (text, places, expected) in [
            ("1.25", 1, "1.2"),
            ("1.35", 1, "1.4"),
            ("1.250000000001", 1, "1.3"),
            ("0.5", 0, "0"),
            ("1.5", 0, "2"),
            ("9.99", 1, "10.0"),
            ("3", 6, "3.000000"),
            ("3", 99, "3.000000000000"),
        ] {
            assert_eq!(cost(text).rounded(places), expected, "{text} {places}");
        }
    }

    #[test]
    fn tokens_cost_what_their_price_says_to_the_last_place() {
        let price = |text| Price::parse(text).expect("a price");
        assert_eq!(price("0.15").of(1), cost("0.00000015"));
        assert_eq!(price("0.000001").of(1), cost("0.000000000001"));
        assert_eq!(price("2.50").of(1_000_000), cost("2.50"));
        assert_eq!(price("3").of(0), Cost::default());
        assert_eq!(Price::parse("0.0000001"), Err(InvalidAmount));
        let parts = [price("0.1").of(1), price("0.2").of(1)];
        assert_eq!(parts.into_iter().sum::<Cost>(), price("0.3").of(1));
        let most = Price::parse("999999999999").expect("a price").of(u64::MAX);
        assert!(most + most >= most, "it ends somewhere");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(amount in 0..10_u128.pow(24)) {
            let cost = Cost(amount);
            prop_assert_eq!(Cost::parse(&cost.to_string()), Ok(cost));
        }
    }
}
