use utoipa::ToSchema;

use super::Shape;
use crate::model::{ids::TabId, protocol::stream::StreamKind};

impl StreamKind {
    /// How the message looks.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Hello => Shape::of::<HelloFields>(
                r#"{"type":"hello","ticket":"eyJ0aWNrZXQiOnt9fQ.c2VhbA","tab":"w7Xq2"}"#,
            ),
            Self::Asset => Shape::of::<AssetFields>(
                r#"{"type":"asset","request":1,"asset":12,"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae","content_type":"image/png","bytes":3}"#,
            ),
            Self::NoAsset => {
                Shape::of::<NoAssetFields>(r#"{"type":"noasset","request":2,"asset":13}"#)
            }
            Self::KeyFrame => Shape::bare(r#"{"type":"keyframe","request":3}"#),
            Self::Cursor => {
                Shape::of::<PlaceFields>(r#"{"type":"cursor","request":4,"x":120.5,"y":300.0}"#)
            }
            Self::Spotlight => {
                Shape::of::<PlaceFields>(r#"{"type":"spotlight","request":5,"x":120.5,"y":300.0}"#)
            }
            Self::Stroke => Shape::of::<StrokeFields>(
                r##"{"type":"stroke","request":6,"stroke":1,"colour":"#e4572e","points":[[10,20],[12.5,24]],"done":false}"##,
            ),
            Self::AskControl => Shape::bare(r#"{"type":"askcontrol","request":7}"#),
            Self::ReleaseControl => Shape::bare(r#"{"type":"releasecontrol","request":8}"#),
            Self::Transfer => {
                Shape::of::<TransferFields>(r#"{"type":"transfer","request":9,"to":"agent-8"}"#)
            }
            Self::Leave => Shape::bare(r#"{"type":"leave","request":10}"#),
            Self::End => {
                Shape::of::<EndFields>(r#"{"type":"end","request":11,"text":"Gladly. Goodbye!"}"#)
            }
        }
    }
}

/// Fields of `hello`.
#[derive(ToSchema)]
pub struct HelloFields {
    /// From `record`, or from the REST interface.
    #[schema(max_length = 4096)]
    pub ticket: String,
    /// The tab, named by the page: a viewer who comes back in the same tab takes his seat again.
    pub tab: TabId,
}

/// Fields of `asset`.
#[derive(ToSchema)]
pub struct AssetFields {
    /// The page's number for it.
    pub asset: u32,
    /// What it is.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Its media type: a picture, a font or a style sheet.
    #[schema(max_length = 128)]
    pub content_type: String,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// Fields of `noasset`.
#[derive(ToSchema)]
pub struct NoAssetFields {
    /// The page's number for it.
    pub asset: u32,
}

/// Fields of `cursor` and `spotlight`: a place in the layout viewport of the page that is shown, in its CSS pixels. Both, or
/// neither: it is gone.
#[derive(ToSchema)]
pub struct PlaceFields {
    /// From the left.
    #[schema(nullable = false)]
    pub x: Option<f32>,
    /// From the top.
    #[schema(nullable = false)]
    pub y: Option<f32>,
}

/// Fields of `stroke`.
#[derive(ToSchema)]
pub struct StrokeFields {
    /// Numbers the agent's strokes.
    pub stroke: u32,
    /// `#` and six hexadecimal digits.
    #[schema(pattern = "^#[0-9A-Fa-f]{6}$")]
    pub colour: String,
    /// What is new of the stroke, from the corner of the visitor's document.
    #[schema(value_type = Vec<Vec<f32>>, max_items = 64)]
    pub points: Vec<[f32; 2]>,
    /// Whether the stroke ends here.
    #[schema(nullable = false)]
    pub done: Option<bool>,
}

/// Fields of `transfer`.
#[derive(ToSchema)]
pub struct TransferFields {
    /// The subject of the agent who is to come, by a ticket of his own.
    #[schema(max_length = 256)]
    pub to: String,
}

/// Fields of `end`.
#[derive(ToSchema)]
pub struct EndFields {
    /// Words for people.
    #[schema(nullable = false, max_length = 800)]
    pub text: Option<String>,
}
