//! Figures as SVG files of their own: pure functions of values that were recorded.
//!
//! | module | draws |
//! | --- | --- |
//! | [`heat`] | numbers of a table as shades, a panel a table |
//! | [`curves`] | one number against another, a line a series |

pub mod curves;
pub mod heat;

/// What stands at the top of every file: a white ground and one face, so that a figure looks the same on any page.
fn opened(width: f64, height: f64, title: &str) -> String {
    let title = crate::svg::escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\" role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    )
}
