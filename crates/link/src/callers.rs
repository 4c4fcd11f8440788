//! Who runs each function.

use crate::Program;
use crate::graph::How;
use crate::types::{FileId, FunctionRef};
use racewalk_ir::{ExprId, FunctionId};

/// Who runs a function: caller, site, how.
pub type Caller = (FunctionRef, ExprId, How);

/// The callers of all functions, in one table.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    /// For each file: the number of its first function.
    first: Vec<u32>,
    /// For each function, by number: where its callers begin; and where the last one's end.
    starts: Vec<u32>,
    all: Vec<Caller>,
}

impl Callers {
    pub(crate) fn new(program: &Program) -> Self {
        let mut callers = Self::default();
        let mut functions = 0;
        for module in program.modules() {
            callers.first.push(functions);
            functions += module.functions.len() as u32;
        }
        let edges = || program.functions().flat_map(|f| program.edges(f).iter().map(move |edge| (f, edge)));
        callers.starts = vec![0; functions as usize + 1];
        for (_, edge) in edges() {
            let after = callers.number(edge.target) + 1;
            callers.starts[after] += 1;
        }
        for after in 1..callers.starts.len() {
            callers.starts[after] += callers.starts[after - 1];
        }
        let nobody = FunctionRef { file: FileId(0), id: FunctionId(0) };
        callers.all = vec![(nobody, ExprId(0), How::Calls); edges().count()];
        let mut free = callers.starts.clone();
        for (caller, edge) in edges() {
            let next = &mut free[callers.number(edge.target)];
            callers.all[*next as usize] = (caller, edge.site, edge.how);
            *next += 1;
        }
        callers
    }

    fn number(&self, function: FunctionRef) -> usize {
        (self.first[function.file.index()] + function.id.0) as usize
    }

    /// The callers of a function, in the program's order.
    pub fn of(&self, function: FunctionRef) -> &[Caller] {
        let number = self.number(function);
        &self.all[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}
