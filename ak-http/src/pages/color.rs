//! A brand's colours, made readable.
//!
//! An admin gives one accent. Pages need it as a fill, as text on that fill, as text on their own surfaces, and all of it on
//! light and on dark ground; WCAG 2.2 (1.4.3) asks for 4.5:1 of text. So the given colour stays the fill, the text on it is
//! whichever of light and dark reads, and the accent as text is moved away from its ground until it reads.

use std::fmt;

const WHITE: Rgb = Rgb([255; 3]);
const BLACK: Rgb = Rgb([0; 3]);
/// The text of the light theme, tried before black for text on a fill.
const INK: Rgb = Rgb([0x17, 0x1B, 0x24]);
/// The text of the dark theme, which a brand's dark background must carry.
const PAPER: Rgb = Rgb([0xE8, 0xEB, 0xF0]);
/// The surfaces that are hardest on text: the darkest of the light theme, the lightest of the dark one.
const LIGHT_GROUND: Rgb = Rgb([0xEE, 0xF0, 0xF4]);
const DARK_GROUND: Rgb = Rgb([0x19, 0x1D, 0x24]);

/// Contrast of text (WCAG 2.2, 1.4.3).
const TEXT: f64 = 4.5;
/// Contrast of controls (WCAG 2.2, 1.4.11).
const CONTROL: f64 = 3.0;

/// The style sheet of a brand: custom properties only, to be linked after the pages' own sheet.
///
/// Colours are `#rgb` or `#rrggbb`; anything else counts as not set, so nothing that an admin wrote reaches the sheet as it is.
/// The result is empty when neither is set.
pub fn brand_css(accent: Option<&str>, dark_background: Option<&str>) -> String {
    let accent = accent.and_then(Rgb::parse);
    // A background too light for the dark theme's text is darkened rather than refused.
    let background = dark_background.and_then(Rgb::parse).map(|colour| colour.shifted(BLACK, &[PAPER], TEXT));

    let mut css = String::new();
    if let Some(background) = background {
        css.push_str(&format!(":root{{--ak-dark-background:{background}}}\n"));
    }
    if let Some(accent) = accent {
        let light = variables(accent, WHITE, accent.shifted(BLACK, &[LIGHT_GROUND], TEXT));
        // In the dark the fill, too, may have to be lifted off the surface.
        let fill = accent.shifted(WHITE, &[DARK_GROUND], CONTROL);
        let grounds = [DARK_GROUND, background.unwrap_or(DARK_GROUND)];
        let dark = variables(fill, DARK_GROUND, accent.shifted(WHITE, &grounds, TEXT));
        css.push_str(&format!(":root{{{light}}}\n:root[data-theme=\"dark\"]{{{dark}}}\n"));
        css.push_str(&format!("@media (prefers-color-scheme:dark){{:root:not([data-theme=\"light\"]){{{dark}}}}}\n"));
    }
    css
}

fn variables(fill: Rgb, surface: Rgb, text: Rgb) -> String {
    let on = fill.readable();
    // Under the pointer the fill moves away from its own text, so that it never gets harder to read.
    let hover = if on == WHITE { fill.mixed(BLACK, 0.15) } else { fill.mixed(WHITE, 0.2) };
    let hover = if hover.contrast(surface) < 1.1 { fill } else { hover };
    format!("--ak-accent:{fill};--ak-accent-hover:{hover};--ak-on-accent:{on};--ak-accent-text:{text}")
}

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb([u8; 3]);

impl Rgb {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        let digits: String = match digits.len() {
            3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
            _ => digits.to_owned(),
        };
        let mut channels = [0; 3];
        hex::decode_to_slice(digits, &mut channels).ok()?;
        Some(Rgb(channels))
    }

    /// Relative luminance (WCAG 2.2, definition of that name).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Contrast ratio, from 1 to 21.
    fn contrast(self, other: Rgb) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour with a share of another, from 0 to 1.
    fn mixed(self, other: Rgb, share: f64) -> Rgb {
        let [red, green, blue] = self.0;
        let [other_red, other_green, other_blue] = other.0;
        let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
        Rgb([mix(red, other_red), mix(green, other_green), mix(blue, other_blue)])
    }

    /// The nearest colour on the way to `end` that has at least `ratio` against every ground.
    fn shifted(self, end: Rgb, grounds: &[Rgb], ratio: f64) -> Rgb {
        let steps = (0..=100).map(|step| self.mixed(end, f64::from(step) / 100.0));
        steps.into_iter().find(|colour| grounds.iter().all(|ground| colour.contrast(*ground) >= ratio)).unwrap_or(end)
    }

    /// The text colour for this fill: white, else the page's ink, else black, which reads wherever white does not.
    fn readable(self) -> Rgb {
        [WHITE, INK].into_iter().find(|text| text.contrast(self) >= TEXT).unwrap_or(BLACK)
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02X}{green:02X}{blue:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(text: &str) -> Rgb {
        Rgb::parse(text).unwrap()
    }

    /// The value of a variable in the n-th rule that has it.
    fn value(css: &str, name: &str, rule: usize) -> Rgb {
        rgb(css.split(&format!("{name}:")).nth(rule + 1).unwrap().split(['}', ';']).next().unwrap())
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert_eq!(format!("{:.2}", WHITE.contrast(BLACK)), "21.00");
        assert_eq!(format!("{:.2}", rgb("#777777").contrast(WHITE)), "4.48");
        assert_eq!(format!("{:.1}", rgb("#FD4B2D").contrast(WHITE)), "3.4");
    }

    #[test]
    fn every_accent_reads_in_both_themes() {
        for accent in ["#FD4B2D", "#0B6B5D", "#ffff00", "#000", "#fff", "#808080", "#0000ff", "#7C8594"] {
            let css = brand_css(Some(accent), None);
            for (rule, ground) in [(0, LIGHT_GROUND), (1, DARK_GROUND), (2, DARK_GROUND)] {
                assert!(value(&css, "--ak-accent-text", rule).contrast(ground) >= TEXT, "{accent} text, {rule}\n{css}");
                let on = value(&css, "--ak-on-accent", rule);
                assert!(on.contrast(value(&css, "--ak-accent", rule)) >= TEXT, "{accent} fill, {rule}\n{css}");
                assert!(on.contrast(value(&css, "--ak-accent-hover", rule)) >= TEXT, "{accent} hover, {rule}\n{css}");
            }
        }
    }

    #[test]
    fn the_accent_itself_stays_the_fill_and_a_readable_one_stays_the_text() {
        let css = brand_css(Some("#FD4B2D"), None);
        assert_eq!(value(&css, "--ak-accent", 0), rgb("#FD4B2D"));
        assert_ne!(value(&css, "--ak-accent-text", 0), rgb("#FD4B2D"));
        assert_eq!(value(&css, "--ak-accent-text", 1), rgb("#FD4B2D"), "5.0:1 on the dark surface needs no help");
        assert_eq!(value(&brand_css(Some("#0B6B5D"), None), "--ak-accent-text", 0), rgb("#0B6B5D"));
    }

    #[test]
    fn a_dark_background_carries_text_and_links() {
        let css = brand_css(Some("#FD4B2D"), Some("#5a5a80"));
        let background = value(&css, "--ak-dark-background", 0);
        assert!(background.contrast(PAPER) >= TEXT);
        assert!(value(&css, "--ak-accent-text", 1).contrast(background) >= TEXT);
        assert!(value(&brand_css(None, Some("#ffffff")), "--ak-dark-background", 0).contrast(PAPER) >= TEXT);
    }

    #[test]
    fn what_is_no_colour_counts_as_not_set() {
        for text in ["", "red", "#12345", "#ggg", "#fff;}body{display:none", "url(x)"] {
            assert_eq!(brand_css(Some(text), Some(text)), "", "{text}");
        }
        assert_eq!(rgb("#abc"), rgb("#AABBCC"));
    }
}
