//! Which rows belong to which graph.

use tch::{Device, Tensor};

use crate::per_device::PerDevice;

/// Consecutive rows grouped by graph: rows `ptr[b] .. ptr[b + 1]` belong to graph `b`, which may have none.
#[derive(Debug)]
pub struct Segments {
    ptr: Vec<u32>,
    index: PerDevice,
}

impl Segments {
    /// Takes the offsets `[B + 1]`, which begin with 0 and never fall.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub fn new(ptr: Vec<u32>) -> Self {
        assert_eq!(ptr.first(), Some(&0), "offsets begin with 0");
        assert!(ptr.is_sorted(), "offsets never fall");
        Self { ptr, index: PerDevice::default() }
    }

    /// Takes the number of rows of each graph.
    pub fn of_sizes(sizes: impl IntoIterator<Item = u32>) -> Self {
        let mut ptr = vec![0];
        let mut end = 0;
        ptr.extend(sizes.into_iter().map(|n| {
            end += n;
            end
        }));
        Self { ptr, index: PerDevice::default() }
    }

    /// The offsets, `[B + 1]`.
    pub fn ptr(&self) -> &[u32] {
        &self.ptr
    }

    /// Number of graphs `B`.
    pub fn len(&self) -> usize {
        self.ptr.len() - 1
    }

    /// Is there no graph at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows of all graphs together.
    pub fn rows(&self) -> usize {
        self.ptr[self.len()] as usize
    }

    /// Rows of each graph.
    pub fn sizes(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.ptr.windows(2).map(|ends| ends[1] - ends[0])
    }

    /// First row and number of rows of graph `b`.
    pub(crate) fn span(&self, b: usize) -> (i64, i64) {
        (i64::from(self.ptr[b]), i64::from(self.ptr[b + 1] - self.ptr[b]))
    }

    /// Rows of the largest graph, 0 without any.
    pub fn largest(&self) -> u32 {
        self.sizes().max().unwrap_or(0)
    }

    /// The graph of each row, `[N]` Int64.
    pub fn index(&self, device: Device) -> Tensor {
        self.index.get(device, || {
            let mut graph = Vec::with_capacity(self.rows());
            for (b, &end) in self.ptr[1..].iter().enumerate() {
                graph.resize(end as usize, b as i64);
            }
            Tensor::from_slice(&graph)
        })
    }

    /// Rows of each graph as a tensor, `[B]`.
    pub(crate) fn sizes_tensor(&self, options: (tch::Kind, Device)) -> Tensor {
        let sizes: Vec<i64> = self.sizes().map(i64::from).collect();
        Tensor::from_slice(&sizes).to_kind(options.0).to_device(options.1)
    }
}
