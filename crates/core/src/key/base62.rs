//! Base62 with the alphabet `0-9A-Za-z`: digits 0 to 61 in that order.

use zeroize::Zeroize;

use crate::Random;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 in a byte: bytes from here on are drawn again, so that each digit
/// is equally likely.
const UNBIASED: u8 = 248;

/// The value of a digit, 0 to 61.
pub const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        _ => None,
    }
}

/// Appends `count` random digits.
pub fn push_random(text: &mut String, count: usize, random: &dyn Random) {
    let mut bytes = [0; 64];
    let mut missing = count;
    while missing > 0 {
        random.fill(&mut bytes);
        for byte in bytes.iter().filter(|byte| **byte < UNBIASED).take(missing) {
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            missing -= 1;
        }
    }
    bytes.zeroize();
}

/// `number` in six digits, most significant first; 62⁶ is more than 2³².
pub fn six_digits(mut number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn every_digit_has_its_value() {
        for (index, digit) in ALPHABET.iter().enumerate() {
            assert_eq!(value(*digit).map(usize::from), Some(index));
        }
        let digits = (0..=u8::MAX).filter(|byte| value(*byte).is_some()).count();
        assert_eq!(digits, 62);
    }

    #[test]
    fn numbers_are_padded_to_six_digits() {
        assert_eq!(&six_digits(0), b"000000");
        assert_eq!(&six_digits(61), b"00000z");
        assert_eq!(&six_digits(62), b"000010");
        assert_eq!(&six_digits(u32::MAX), b"4gfFC3");
    }

    /// Chi-squared over 62 cells: 61 degrees of freedom exceed 130 with a chance of about 10⁻⁶.
    #[test]
    fn random_digits_are_spread_evenly() {
        let mut text = String::new();
        push_random(&mut text, 620_000, &OsRandom);
        let mut counts = [0_f64; 62];
        for digit in text.bytes() {
            counts[usize::from(value(digit).expect("a digit"))] += 1.0;
        }
        let chi_squared: f64 = counts
            .iter()
            .map(|count| (count - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi_squared < 130.0, "chi-squared {chi_squared}");
    }
}
