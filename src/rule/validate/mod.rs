//! Checks that a pattern cannot make: checksums, ranges, entropy, allow-lists.
//!
//! Each check is a pure function of a candidate's bytes in a file of its own subject; [`Validator`] gives it
//! its name. A check never has to guess where the match begins or ends, for the engine asks about every start
//! and every end that the pattern allows.

mod address;
mod allow;
mod crypto;
mod national;
mod payment;
mod person;
mod token;

pub use allow::Allow;

use std::fmt;
use std::sync::Arc;

/// A check on the text of one candidate match.
///
/// Every start and every end that the pattern allows is tried, so a validator never has to guess.
///
/// ```
/// use holdback::rule::Validator;
///
/// assert!(Validator::luhn().accepts(b"4111 1111 1111 1111"));
/// assert!(!Validator::luhn().accepts(b"4111 1111 1111 1112"));
/// ```
#[derive(Clone)]
pub struct Validator {
    name: String,
    accepts: Accepts,
}

type Accepts = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

impl Validator {
    /// A validator of your own. It must give the same answer for the same bytes each time.
    pub fn new(name: impl Into<String>, accepts: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Validator {
        Validator { name: name.into(), accepts: Arc::new(accepts) }
    }

    /// `luhn`: the check digit of ISO/IEC 7812-1, spaces and hyphens ignored.
    pub fn luhn() -> Validator {
        Validator::new("luhn", payment::luhn)
    }

    /// `card-iin`: an issuer range and a length, 12 to 19 digits, that a card network uses.
    pub fn card_iin() -> Validator {
        Validator::new("card-iin", payment::card_iin)
    }

    /// `iban`: the country's length and the check digits of ISO 13616.
    pub fn iban() -> Validator {
        Validator::new("iban", payment::iban)
    }

    /// `us-ssn`: an area, group and serial number that the SSA assigns.
    pub fn us_ssn() -> Validator {
        Validator::new("us-ssn", person::us_ssn)
    }

    /// `phone-e164`: an assigned country code and a length that ITU-T E.164 allows.
    pub fn phone_e164() -> Validator {
        Validator::new("phone-e164", person::phone_e164)
    }

    /// `ip-public`: an IPv4 or IPv6 address that the public Internet routes.
    pub fn ip_public() -> Validator {
        Validator::new("ip-public", address::ip_public)
    }

    /// `ipv4-public`: an IPv4 address that the public Internet routes.
    pub fn ipv4_public() -> Validator {
        Validator::new("ipv4-public", address::ipv4_public)
    }

    /// `ipv6-public`: an IPv6 address that the public Internet routes.
    pub fn ipv6_public() -> Validator {
        Validator::new("ipv6-public", address::ipv6_public)
    }

    /// `digits`: between `min` and `max` decimal digits, whatever stands between them.
    pub fn digits(min: usize, max: usize) -> Validator {
        Validator::new("digits", move |candidate| {
            (min..=max).contains(&candidate.iter().filter(|byte| byte.is_ascii_digit()).count())
        })
    }

    /// `token-body`: made like a generated token and unlike words, by how often letters and digits alternate.
    pub fn token_body() -> Validator {
        Validator::new("token-body", token::is_token_body)
    }

    /// `entropy`: at least `min` bits of Shannon entropy per byte, 0 to 8.
    pub fn entropy(min: f64) -> Validator {
        Validator::new("entropy", move |candidate| token::entropy(candidate) >= min)
    }

    /// `not-placeholder`: not what people write where a secret belongs, such as `changeme` or `${TOKEN}`.
    pub fn not_placeholder() -> Validator {
        Validator::new("not-placeholder", |candidate| !token::is_placeholder(candidate))
    }

    /// `jwt-structure`: three base64url parts of which the first is a JSON header with an `alg` (RFC 7519).
    pub fn jwt_structure() -> Validator {
        Validator::new("jwt-structure", token::jwt_structure)
    }

    /// `url-host-not-in`: a URL whose host is none of `hosts`; `*.example.com` stands for every name below
    /// `example.com`. A URL whose host cannot be told is accepted, for the match is then not known to be harmless.
    pub fn url_host_not_in(hosts: impl IntoIterator<Item = String>) -> Validator {
        let hosts: Vec<String> = hosts.into_iter().collect();
        Validator::new("url-host-not-in", move |candidate| !address::url_host_in(candidate, &hosts))
    }

    /// `allow`: not a text that `allow` lists.
    pub fn not_allowed(allow: Allow) -> Validator {
        Validator::new("allow", move |candidate| !allow.allows(candidate))
    }

    /// The validator of this name in rule files, for those that take no settings.
    pub fn named(name: &str) -> Option<Validator> {
        let (name, check) = PLAIN.iter().find(|(plain, _)| *plain == name)?;
        Some(Validator::new(*name, check))
    }

    /// The names that [`Validator::named`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PLAIN.iter().map(|(name, _)| *name)
    }

    /// The validator's name in rule files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `candidate` may count as a match.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        (self.accepts)(candidate)
    }
}

type Check = fn(&[u8]) -> bool;

/// The checks without settings, in the order of their names.
const PLAIN: [(&str, Check); 33] = [
    ("aba", national::aba),
    ("au-abn", national::au_abn),
    ("au-tfn", national::au_tfn),
    ("base58check", crypto::base58check),
    ("bech32", crypto::bech32),
    ("br-cnpj", national::br_cnpj),
    ("br-cpf", national::br_cpf),
    ("ca-sin", national::ca_sin),
    ("card-iin", payment::card_iin),
    ("cn-id", national::cn_id),
    ("de-taxid", national::de_taxid),
    ("es-dni", national::es_dni),
    ("eth-checksum", crypto::eth_checksum),
    ("fr-nir", national::fr_nir),
    ("github-crc32", token::github_crc32),
    ("iban", payment::iban),
    ("in-aadhaar", national::in_aadhaar),
    ("ip-public", address::ip_public),
    ("ipv4-public", address::ipv4_public),
    ("ipv6-public", address::ipv6_public),
    ("it-cf", national::it_cf),
    ("jwt-structure", token::jwt_structure),
    ("luhn", payment::luhn),
    ("mod11-nhs", national::mod11_nhs),
    ("nl-bsn", national::nl_bsn),
    ("not-placeholder", |candidate| !token::is_placeholder(candidate)),
    ("phone-e164", person::phone_e164),
    ("pl-pesel", national::pl_pesel),
    ("token-body", token::is_token_body),
    ("us-itin", national::us_itin),
    ("us-npi", national::us_npi),
    ("us-ssn", person::us_ssn),
    ("verhoeff", national::verhoeff),
];

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Validator").field(&self.name).finish()
    }
}

/// The decimal digits of `candidate`, or nothing when it holds anything but digits and separators.
fn digits(candidate: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(candidate.len());
    for &byte in candidate {
        match byte {
            b'0'..=b'9' => digits.push(byte - b'0'),
            b' ' | b'-' | b'.' => {}
            _ => return None,
        }
    }
    Some(digits)
}

/// Asserts which texts a check accepts and which it does not.
#[cfg(test)]
fn split(check: fn(&[u8]) -> bool, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(check(text.as_bytes()), "{text} is good");
    }
    for text in bad {
        assert!(!check(text.as_bytes()), "{text} is bad");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_found_under_its_own_name() {
        for name in Validator::names() {
            assert_eq!(Validator::named(name).map(|v| v.name().to_owned()).as_deref(), Some(name));
        }
        assert!(Validator::named("no-such-check").is_none());
    }

    #[test]
    fn no_validator_panics_on_odd_bytes() {
        let odd: [&[u8]; 6] = [b"", b"\xff", b"...", b"://", b"+", "\u{665}\u{665}".as_bytes()];
        for validator in Validator::names().filter_map(Validator::named) {
            for candidate in odd {
                assert!(
                    !validator.accepts(candidate) || validator.name() == "not-placeholder",
                    "{} accepts {candidate:?}",
                    validator.name()
                );
            }
        }
    }
}
