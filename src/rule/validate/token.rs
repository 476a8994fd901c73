//! Secrets: how random a text is, what only stands for a secret, and what a token says of itself.

/// Shannon entropy of the bytes, in bits per byte: 0 for one byte repeated, 8 for all 256 alike.
/// C. E. Shannon, A Mathematical Theory of Communication, 1948, section 6.
pub(super) fn entropy(candidate: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in candidate {
        counts[usize::from(byte)] += 1;
    }
    let len = candidate.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f64::from(count) / len)
        .map(|share| -share * share.log2())
        .sum()
}

/// Words that people write in documentation where a secret belongs. Compared without case against the whole
/// candidate, for a secret may well contain one of them.
const PLACEHOLDERS: [&str; 24] = [
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "default",
    "dummy",
    "example",
    "fixme",
    "insert",
    "none",
    "null",
    "password",
    "passwd",
    "placeholder",
    "redacted",
    "replaceme",
    "replace_me",
    "sample",
    "secret",
    "test",
    "todo",
    "undefined",
    "xxx",
    "your",
];

/// Beginnings of documentation values such as `your-api-key` and `<YOUR_TOKEN>`.
const PLACEHOLDER_STARTS: [&str; 8] = ["your-", "your_", "my-", "my_", "example-", "example_", "insert-", "insert_"];

/// Whether `candidate` only stands where a secret would: one character repeated, a placeholder word, or a
/// reference to a variable.
pub(super) fn is_placeholder(candidate: &[u8]) -> bool {
    let repeated = candidate.windows(2).all(|pair| pair[0] == pair[1]);
    let enclosed =
        |open: &str, close: &str| candidate.starts_with(open.as_bytes()) && candidate.ends_with(close.as_bytes());
    let starts =
        |word: &&str| candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    repeated
        || enclosed("${", "}")
        || enclosed("{{", "}}")
        || enclosed("<", ">")
        || enclosed("%", "%")
        || enclosed("$(", ")")
        || candidate.starts_with(b"process.env")
        || candidate.starts_with(b"os.environ")
        || PLACEHOLDERS.iter().any(|word| candidate.eq_ignore_ascii_case(word.as_bytes()))
        || PLACEHOLDER_STARTS.iter().any(starts)
}

/// Whether `candidate` is made like a generated token and unlike words. Either it has digits, and changes between letters and
/// digits, or from a small letter to a capital, at least three times and once in eight characters; or sixteen letters and
/// digits stand in it without a break, at least four of each.
///
/// A random text over base 36 changes twice in five characters and one over hexadecimal digits as often; names that
/// people give change where a word ends. Measured by hand on both; no standard says this.
pub(super) fn is_token_body(candidate: &[u8]) -> bool {
    let changes = candidate.windows(2).filter(|pair| {
        let is_mixed = pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic();
        let is_mixed = is_mixed || pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit();
        is_mixed || pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()
    });
    let digits = |text: &[u8]| text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_long_and_mixed = |run: &[u8]| run.len() >= 16 && (4..=run.len() - 4).contains(&digits(run));
    let alternates = digits(candidate) > 0 && changes.count() >= 3.max(candidate.len() / 8);
    alternates || candidate.split(|byte| !byte.is_ascii_alphanumeric()).any(is_long_and_mixed)
}

/// RFC 7519, section 3, and RFC 7515, section 3.1: base64url parts joined by dots, of which the first is a
/// JSON object with an `alg` that is a string.
pub(super) fn jwt_structure(candidate: &[u8]) -> bool {
    let mut parts = candidate.split(|&byte| byte == b'.');
    let header = parts.next().and_then(base64url).and_then(|json| serde_json::from_slice::<Header>(&json).ok());
    header.is_some() && parts.next().is_some_and(|claims| !claims.is_empty()) && parts.next().is_some()
}

#[derive(serde::Deserialize)]
struct Header {
    #[allow(dead_code, reason = "only its presence and its type count")]
    alg: String,
}

/// RFC 4648, section 5, without padding; bits left over at the end are not looked at.
fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut width) = (0u32, 0);
    for &byte in text {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(sextet);
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push((bits >> width) as u8);
        }
    }
    Some(bytes)
}

/// GitHub's tokens since 2021: behind the last `_` thirty characters and their CRC-32 in six digits of base 62.
/// <https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>
pub(super) fn github_crc32(candidate: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some(underscore) = candidate.iter().rposition(|&byte| byte == b'_') else { return false };
    let Some((body, checksum)) = candidate[underscore + 1..].split_at_checked(30).filter(|(_, sum)| sum.len() == 6)
    else {
        return false;
    };
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte).map(|value| value as u64);
    let number = checksum.iter().try_fold(0, |number, byte| Some(number * 62 + digit(byte)?));
    number == Some(crc32fast::hash(body).into())
}

#[cfg(test)]
mod tests {
    use super::super::split;
    use super::*;

    #[test]
    fn generated_tokens_are_told_from_names() {
        super::super::split(
            is_token_body,
            &[
                "k7Jd02mQx9",
                "0f3a9c1be77d",
                "NotARealKey0NotARealKey0Not1A2R3e",
                "q8w7-e6r5_t4y3",
                "abcdefghij0123456789",
            ],
            &[
                "registry_read_write",
                "getUserAccountByIdAndName",
                "user_profile_v2",
                "v1.2.3-beta",
                "0123456789",
                "path/to/file2",
            ],
        );
    }

    #[test]
    fn entropy_is_in_bits_per_byte() {
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert_eq!(entropy(b"abab"), 1.0);
        assert_eq!(entropy(b"abcdefgh"), 3.0);
    }

    #[test]
    fn a_placeholder_is_no_secret() {
        for text in ["changeme", "CHANGEME", "${DB_PASSWORD}", "********", "<token>", "your-api-key", "{{ secret }}"] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["t7#kV9!pLq2z", "changeme1234", "xXy", "notyour-key", "<half"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_jwt_says_its_algorithm() {
        // {"alg":"HS256","typ":"JWT"} . {"sub":"nobody"} . made up
        assert!(jwt_structure(b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJub2JvZHkifQ.bm90LWEtc2lnbmF0dXJl"));
        // {"typ":"JWT"}
        assert!(!jwt_structure(b"eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJub2JvZHkifQ.bm90LWEtc2lnbmF0dXJl"));
        assert!(!jwt_structure(b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJub2JvZHkifQ"));
        assert!(!jwt_structure(b"not.a.token"));
    }

    #[test]
    fn github_tokens_carry_their_checksum() {
        // Made up, with the checksum that belongs to it.
        split(
            github_crc32,
            &["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"],
            &[
                "ghp_NotARealTokenNotARealToken0000000000",
                "NotARealTokenNotARealToken00002a6wWc",
                "ghp_short",
                "",
                "ghp_",
            ],
        );
    }
}
