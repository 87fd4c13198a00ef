//! Cycles and levels of a dependency graph.

/// Returns the sets of nodes that use each other, directly or indirectly. `uses` has the nodes
/// that each node uses.
pub(super) fn circles(uses: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut circles = components(uses);
    circles.retain(|set| set.len() > 1);
    circles
}

/// Returns the number of levels: the length of the longest chain of dependencies. A cycle counts
/// as one level.
pub(super) fn floors(uses: &[Vec<usize>]) -> usize {
    let components = components(uses);
    let mut floor_of = vec![0_usize; uses.len()];
    // A used node comes before its users.
    for set in &components {
        let below = set.iter().flat_map(|at| &uses[*at]);
        let below = below.filter(|to| !set.contains(to));
        let floor = below.map(|to| floor_of[*to]).max().unwrap_or(0) + 1;
        for at in set {
            floor_of[*at] = floor;
        }
    }
    floor_of.into_iter().max().unwrap_or(0)
}

/// Returns the strongly connected components, each sorted, used ones first: Tarjan's algorithm.
fn components(uses: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        uses,
        numbers: vec![None; uses.len()],
        lowest: vec![0; uses.len()],
        open: Vec::new(),
        found: Vec::new(),
        count: 0,
    };
    for at in 0..uses.len() {
        if search.numbers[at].is_none() {
            search.visit(at);
        }
    }
    search.found
}

struct Search<'u> {
    uses: &'u [Vec<usize>],
    /// In the order of visits.
    numbers: Vec<Option<usize>>,
    lowest: Vec<usize>,
    open: Vec<usize>,
    found: Vec<Vec<usize>>,
    count: usize,
}

impl Search<'_> {
    /// The recursion is as deep as the levels of files: a few dozen.
    fn visit(&mut self, at: usize) {
        let number = self.count;
        self.count += 1;
        self.numbers[at] = Some(number);
        self.lowest[at] = number;
        self.open.push(at);
        for to in &self.uses[at] {
            match self.numbers[*to] {
                None => {
                    self.visit(*to);
                    self.lowest[at] = self.lowest[at].min(self.lowest[*to]);
                }
                Some(other) if self.open.contains(to) => {
                    self.lowest[at] = self.lowest[at].min(other);
                }
                Some(_) => {}
            }
        }
        if self.lowest[at] == number {
            let start = self.open.iter().position(|open| *open == at);
            let mut set = self.open.split_off(start.unwrap_or(0));
            set.sort_unstable();
            self.found.push(set);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{circles, floors};

    #[test]
    fn circles_are_found_whole_and_apart() {
        // 0 → 1 ⇄ 2, 3 → 4 → 5 → 3, 6.
        let uses = [
            vec![1],
            vec![2],
            vec![1, 3],
            vec![4],
            vec![5],
            vec![3],
            vec![],
        ];
        assert_eq!(circles(&uses), [vec![3, 4, 5], vec![1, 2]]);
        assert_eq!(floors(&uses), 3);
    }

    #[test]
    fn a_floor_is_above_all_that_it_uses() {
        let uses = [vec![1, 3], vec![2], vec![3], vec![], vec![3]];
        assert_eq!(circles(&uses), [[0; 0]; 0]);
        assert_eq!(floors(&uses), 4);
        assert_eq!(floors(&[]), 0);
    }
}
