//! Reads filters from JSON and from query strings. A clause is read by one function either way.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    Bound, Clause, Comparison, Filter, Finite, MAX_CLAUSES, MAX_VALUE_CHARACTERS, Match, Terms,
    Test,
};
use crate::model::{error::Problem, presence::MAX_KEY_CHARACTERS};

impl Filter {
    /// Reads `{"url": {"prefix": "https://"}, "data.cart": {"gte": 2}, "visibility": "visible"}`: a field with one value
    /// that it equals (for `text`: contains), or with an object of operators.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn from_json(value: &Value) -> Result<Self, Problem> {
        let Value::Object(fields) = value else {
            return Err(Problem::field("filter", "must be an object"));
        };
        let mut clauses = Vec::new();
        for (field, value) in fields {
            let Value::Object(operators) = value else {
                clauses.push(clause("filter.", field, None, value)?);
                continue;
            };
            for (operator, value) in operators {
                clauses.push(clause("filter.", field, Some(operator), value)?);
            }
            check_number(&clauses)?;
        }
        Self::of(clauses)
    }

    /// Reads `field=value` and `field[operator]=value` of a query string.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn from_query<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Problem> {
        let mut clauses = Vec::new();
        for (name, value) in pairs {
            let split = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
            let (field, operator) = match split {
                Some((field, operator)) => (field, Some(operator)),
                None => (name, None),
            };
            clauses.push(clause("", field, operator, &Value::from(value))?);
            check_number(&clauses)?;
        }
        Self::of(clauses)
    }

    fn of(mut clauses: Vec<Clause>) -> Result<Self, Problem> {
        check_number(&clauses)?;
        clauses.sort_unstable();
        clauses.dedup();
        Ok(Self(clauses))
    }
}

fn check_number(clauses: &[Clause]) -> Result<(), Problem> {
    if clauses.len() > MAX_CLAUSES {
        return Err(Problem::field("filter", format!("must have at most {MAX_CLAUSES} clauses")));
    }
    Ok(())
}

fn clause(
    before: &str,
    field: &str,
    operator: Option<&str>,
    value: &Value,
) -> Result<Clause, Problem> {
    let shown: String = field.chars().take(MAX_KEY_CHARACTERS + 5).collect();
    let operand = Operand { before, field: &shown, operator, value };
    Ok(match field {
        "visitorid" => Clause::Visitor(operand.text_match()?),
        "url" => Clause::Data("url".into(), Test::Text(operand.text_match()?)),
        "text" => match operator {
            None | Some("contains") => Clause::Anywhere(lower(operand.text()?)),
            Some(_) => return Err(operand.unknown("contains")),
        },
        "anonymous" => Clause::Anonymous(operand.equal_flag()?),
        "transit" => Clause::Transit(operand.equal_flag()?),
        "visibility" => Clause::Visible(match operand.equal_text()? {
            "visible" => true,
            "hidden" => false,
            _ => return Err(operand.broken("must be visible or hidden")),
        }),
        "terms" => Clause::Terms(match operand.equal_text()? {
            "none" => Terms::None,
            "displayed" => Terms::Displayed,
            "accepted" => Terms::Accepted,
            "declined" => Terms::Declined,
            _ => return Err(operand.broken("must be none, displayed, accepted or declined")),
        }),
        "help" => Clause::Help(match operand.equal_text()? {
            "none" => None,
            "pending" => Some(false),
            "accepted" => Some(true),
            _ => return Err(operand.broken("must be none, pending or accepted")),
        }),
        "since" => Clause::Since(operand.bound()?),
        "updated" => Clause::Updated(operand.bound()?),
        _ => match field.strip_prefix("data.") {
            Some(key) if (1..=MAX_KEY_CHARACTERS).contains(&key.chars().count()) => {
                Clause::Data(key.into(), operand.test()?)
            }
            _ => {
                let rule = "is no field of a filter; there are visitorid, url, data.KEY, text, anonymous, \
                    transit, visibility, terms, help, since, updated";
                return Err(Problem::field(format!("{before}{shown}"), rule));
            }
        },
    })
}

/// The right side of a clause, with what an error says of it.
struct Operand<'a> {
    before: &'a str,
    field: &'a str,
    operator: Option<&'a str>,
    value: &'a Value,
}

impl<'a> Operand<'a> {
    fn broken(&self, rule: impl Into<String>) -> Problem {
        Problem::field(format!("{}{}", self.before, self.field), rule)
    }

    fn unknown(&self, operators: &str) -> Problem {
        self.broken(format!("takes {operators}"))
    }

    /// A text; of a number its digits, as a query string would have them.
    fn text(&self) -> Result<Cow<'a, str>, Problem> {
        let text = match self.value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Number(number) => number.to_string().into(),
            _ => return Err(self.broken("must be compared with a string or a number")),
        };
        if text.chars().count() > MAX_VALUE_CHARACTERS {
            let rule = format!("must be compared with at most {MAX_VALUE_CHARACTERS} characters");
            return Err(self.broken(rule));
        }
        Ok(text)
    }

    fn text_match(&self) -> Result<Match, Problem> {
        let text = self.text()?;
        Ok(match self.operator {
            None | Some("eq") => Match::Equals(text.into()),
            Some("prefix") => Match::Prefix(text.into()),
            Some("contains") => Match::Contains(lower(text)),
            Some(_) => return Err(self.unknown("eq, prefix or contains")),
        })
    }

    fn test(&self) -> Result<Test, Problem> {
        let comparison = match self.operator {
            Some("lt") => Comparison::Less,
            Some("lte") => Comparison::AtMost,
            Some("gt") => Comparison::Greater,
            Some("gte") => Comparison::AtLeast,
            Some("exists") => return Ok(Test::Exists(self.flag()?)),
            None | Some("eq" | "prefix" | "contains") => return Ok(Test::Text(self.text_match()?)),
            Some(_) => {
                return Err(self.unknown("eq, prefix, contains, exists, lt, lte, gt or gte"));
            }
        };
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        // -0 and 0 are one number.
        let number = number.filter(|number| number.is_finite()).map(|number| number + 0.0);
        let number = number.ok_or_else(|| self.broken("must be compared with a number"))?;
        Ok(Test::Number(comparison, Finite(number.to_bits())))
    }

    fn bound(&self) -> Result<Bound, Problem> {
        let time = match self.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let time = time.ok_or_else(|| self.broken("must be compared with Unix milliseconds"))?;
        match self.operator {
            Some("before") => Ok(Bound::Before(time)),
            Some("after") => Ok(Bound::After(time)),
            _ => Err(self.unknown("before or after")),
        }
    }

    fn flag(&self) -> Result<bool, Problem> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => Err(self.broken("must be compared with true or false")),
        }
    }

    fn equal_flag(&self) -> Result<bool, Problem> {
        self.only_equal()?;
        self.flag()
    }

    fn equal_text(&self) -> Result<&'a str, Problem> {
        self.only_equal()?;
        self.value.as_str().ok_or_else(|| self.broken("must be compared with a string"))
    }

    fn only_equal(&self) -> Result<(), Problem> {
        match self.operator {
            None | Some("eq") => Ok(()),
            Some(_) => Err(self.unknown("eq")),
        }
    }
}

fn lower(text: Cow<'_, str>) -> Box<str> {
    text.to_lowercase().into()
}
