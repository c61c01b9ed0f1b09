//! The rows of the registry.

use super::{DatasetSpec, Family, Published};
use crate::{RawDataset, generate};

/// Every data set known by name.
pub static DATASETS: &[DatasetSpec] = &[
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/MUTAG.zip"),
        content_hash: Some("23555351babfe747595a8eb8093d47fb6c3301f22759abb6da974909a46360d4"),
        published: Published::of(188, 2, 17.93, 19.79, 7).edge_labels(4),
        note: "Nitroaromatic compounds; class values -1 and 1.",
        citation: "Debnath et al., J. Med. Chem. 34(2), 1991; Kriege and Mutzel, ICML 2012",
        ..tu("MUTAG")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/PTC_MR.zip"),
        content_hash: Some("309c20d1e6d22ea15984fb34f87310f4e1c193303a5d66afa5a5651533f2fb55"),
        published: Published::of(344, 2, 14.29, 14.69, 18).edge_labels(4),
        note: "Carcinogenicity in male rats; class values -1 and 1.",
        citation: "Helma et al., Bioinformatics 17(1), 2001; Kriege and Mutzel, ICML 2012",
        ..tu("PTC_MR")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/PROTEINS.zip"),
        content_hash: Some("a9e443b07e542c2215d75a88a17ea1123909eb4149d1a58b7adb55fa84c79cfb"),
        published: Published::of(1113, 2, 39.06, 72.82, 3).node_attributes(1),
        note: "Enzyme or not; 5 isolated nodes. Papers with 32 features use PROTEINS_full, another package.",
        citation: "Borgwardt et al., Bioinformatics 21(1), 2005; Dobson and Doig, J. Mol. Biol. 330(4), 2003",
        ..tu("PROTEINS")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/ENZYMES.zip"),
        content_hash: Some("d0359f4eabd8b983ab477fe3be96934898b32cc5abfabffbe06777d79c3a9109"),
        published: Published::of(600, 6, 32.63, 62.14, 3).node_attributes(18),
        note: "Six classes of 100 graphs each; 106 isolated nodes.",
        citation: "Borgwardt et al., Bioinformatics 21(1), 2005; Schomburg et al., Nucleic Acids Res. 32, 2004",
        ..tu("ENZYMES")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/NCI1.zip"),
        content_hash: Some("33d51ec5821b60d7954345fc0400400eb651d8c0bfbab02c6b2df5b2ec6a1b44"),
        published: Published::of(4110, 2, 29.87, 32.30, 37),
        note: "Anti-cancer screens; node labels 1 to 37; 580 graphs are disconnected.",
        citation: "Wale, Watson and Karypis, Knowl. Inf. Syst. 14(3), 2008; Shervashidze et al., JMLR 12, 2011",
        ..tu("NCI1")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/NCI109.zip"),
        content_hash: Some("8fb1ff8cd7b2632f9f07f0986031877c569d8e4f898dc5e5e91914c412acf81a"),
        published: Published::of(4127, 2, 29.68, 32.13, 38),
        note: "Anti-cancer screens; node labels 1 to 38; 608 graphs are disconnected.",
        citation: "Wale, Watson and Karypis, Knowl. Inf. Syst. 14(3), 2008; Shervashidze et al., JMLR 12, 2011",
        ..tu("NCI109")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/Mutagenicity.zip"),
        content_hash: Some("a0929a8abeaf6592ae91561b4cd78e1a1fb49b0f9932f49257faf511d80ab299"),
        published: Published::of(4337, 2, 30.32, 30.77, 14).edge_labels(3),
        note: "Mutagenic or not; 2401 isolated nodes, up to 318 in one graph.",
        citation: "Kazius, McGuire and Bursi, J. Med. Chem. 48(1), 2005; Riesen and Bunke, SSPR 2008",
        ..tu("Mutagenicity")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/DD.zip"),
        content_hash: Some("442597d62061435039976a121d77d01790bbe7fea2ae414faf108ce5c67b03b0"),
        published: Published::of(1178, 2, 284.32, 715.66, 89),
        clean: Published { node_labels: Some(82), ..Published::NOTHING },
        note: "Enzyme or not. Some tables print 89 node labels, the largest value; 82 values occur.",
        citation: "Dobson and Doig, J. Mol. Biol. 330(4), 2003; Shervashidze et al., JMLR 12, 2011",
        ..tu("DD")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/IMDB-BINARY.zip"),
        content_hash: Some("8154c5ee2915c79f54c752a5f896e6ac2a309554f98a0eb4f6d1af2b4d6a19b6"),
        published: Published::of(1000, 2, 19.77, 96.53, 0),
        note: "Ego networks of actors, no labels; the file lists every directed edge twice.",
        citation: "Yanardag and Vishwanathan, KDD 2015",
        ..tu("IMDB-BINARY")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/COLLAB.zip"),
        content_hash: Some("154dc0d52af720a6c871d41b6d7cc127f751d1bc72f89a6d38ea217ca464b708"),
        published: Published::of(5000, 3, 74.49, 2457.78, 0),
        clean: Published { edges_mean: Some(2457.22), ..Published::NOTHING },
        note: "No labels. The printed 2457.78 edges count 2837 self-loops; one-hot degrees take 0.7 GB.",
        citation: "Yanardag and Vishwanathan, KDD 2015; Leskovec, Kleinberg and Faloutsos, KDD 2005",
        ..tu("COLLAB")
    },
    DatasetSpec {
        url: Some("https://www.chrsmrrs.com/graphkerneldatasets/REDDIT-MULTI-12K.zip"),
        published: Published {
            graphs: Some(11_929),
            classes: Some(11),
            node_labels: Some(0),
            ..Published::NOTHING
        },
        note: "Discussion threads, no labels. Not verified yet: no copy could be read, hence no content hash.",
        citation: "Yanardag and Vishwanathan, KDD 2015",
        ..tu("REDDIT-MULTI-12K")
    },
    DatasetSpec {
        content_hash: Some("9ea6aeb219716f0a3f3b9cb02518eb259b2b6a2029e03e32ab4c6cebe148039e"),
        published: Published::one(2708, 5278, 1433, 7),
        note: "Papers and citations. Prose of papers says 5429 citations, some of which repeat or have a direction.",
        files: &[
            "ind.cora.allx",
            "ind.cora.ally",
            "ind.cora.tx",
            "ind.cora.ty",
            "ind.cora.graph",
            "ind.cora.test.index",
        ],
        ..planetoid("cora")
    },
    DatasetSpec {
        content_hash: Some("7bd3e3b8948faf8a2bea299b2fe7a4b2921f8f9ef5d78398f926fa07a2668f61"),
        published: Published::one(3327, 4552, 3703, 6),
        note: "Papers and citations; 48 isolated nodes, 15 of them without features or class (read as class 0).",
        files: &[
            "ind.citeseer.allx",
            "ind.citeseer.ally",
            "ind.citeseer.tx",
            "ind.citeseer.ty",
            "ind.citeseer.graph",
            "ind.citeseer.test.index",
        ],
        ..planetoid("citeseer")
    },
    DatasetSpec {
        content_hash: Some("34ca39f29c0fd629f4a8c9201113ecfe8add898acfc0c7c6b6ff5fc2dc22d7cf"),
        published: Published::one(3025, 13_128, 1870, 3),
        note: "Papers, joined by common authors; 561 isolated nodes.",
        files: &["data/acm.txt", "data/acm_label.txt", "graph/acm_graph.txt"],
        ..sdcn("acm")
    },
    DatasetSpec {
        content_hash: Some("47b1198358959b310091b0024a5faac9ccc7590d358b6d22daed528722eca79b"),
        published: Published::one(4057, 3528, 334, 4),
        note: "Authors and their common papers; 1466 isolated nodes. The edges name neither the first nor the last node.",
        files: &["data/dblp.txt", "data/dblp_label.txt", "graph/dblp_graph.txt"],
        ..sdcn("dblp")
    },
    DatasetSpec {
        content_hash: Some("ab48093ad385749267a68efe405d62660410912a6aab3d8b0d00846761e97f41"),
        note: "Pages and links; 42 isolated nodes. The printed 12178 edges are half of 2 x 11596 and 1165 loops.",
        ..wiki("wiki", Family::Tadw)
    },
    DatasetSpec {
        content_hash: Some("a50c7ad2a18282015f1e30051f2b7c072371865ced571e2f51021d6179e42a5c"),
        files_of: Some("wiki"),
        note: "As AdamGNN's code reads it: all nodes but one have the features of another node.",
        ..wiki("wiki-as-published", Family::TadwAsPublished)
    },
    DatasetSpec {
        content_hash: Some("e99e7a5180bd25915e47ea65104382a46514304526f2124285654fa72498d94a"),
        url: Some("https://snap.stanford.edu/data/"),
        files: &["email-Eu-core.txt.gz", "email-Eu-core-department-labels.txt.gz"],
        published: Published::one(799, 10_182, 0, 18),
        clean: Published { edges_mean: Some(9662.0), ..Published::NOTHING },
        note: "Members of the 18 departments with more than 20; the printed 10182 edges count 520 self-loops.",
        citation: "Yin, Benson, Leskovec and Gleich, KDD 2017",
        ..files("emails", Family::Emails)
    },
    DatasetSpec {
        content_hash: Some("89854990868cf0b98d707d7f5726bd3f026adc28e4d01102ae0fa3f87c44c9e7"),
        published: Published::of(1, 2, 34.0, 78.0, 0),
        note: "One graph; the two clubs after the split are its node classes. The seed has no effect.",
        citation: "Zachary, J. Anthropol. Res. 33(4), 1977",
        ..generated("KARATE", |_| generate::karate_dataset())
    },
    DatasetSpec {
        content_hash: Some("9f339251ad78e4990f7634b1ba6db296e3801352efcc0a6d35abc0610a3c61d4"),
        published: Published::of(2000, 10, 15.22, 33.41, 0),
        note: "The class is the number of triangles, 1 to 10. Made here after the paper, not its own draw.",
        citation: "Knyazev, Taylor and Amer, NeurIPS 2019",
        ..generated("TRIANGLES", |seed| generate::triangles(seed, 2000))
    },
    DatasetSpec {
        content_hash: Some("e25bfb8751cd3a0b2f80120af120d5509f7e58342b62b0c704ac876e22581dea"),
        published: Published::of(600, 3, 50.43, 177.24, 0),
        note: "The class is how dense communities are arranged; sizes, degrees and triangles do not tell.",
        citation: "made for this workspace; see the module `generate::communities`",
        ..generated("COMMUNITIES", |seed| generate::communities(seed, 600).raw)
    },
];

const fn files(name: &'static str, family: Family) -> DatasetSpec {
    DatasetSpec {
        name,
        family,
        url: None,
        files: &[],
        files_of: None,
        content_hash: None,
        published: Published::NOTHING,
        clean: Published::NOTHING,
        note: "",
        citation: "",
        draw: None,
    }
}

const fn tu(name: &'static str) -> DatasetSpec {
    files(name, Family::Tu)
}

const fn planetoid(name: &'static str) -> DatasetSpec {
    DatasetSpec {
        url: Some("https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/"),
        citation: "Sen et al., AI Magazine 29(3), 2008; Yang, Cohen and Salakhutdinov, ICML 2016",
        ..files(name, Family::Planetoid)
    }
}

const fn sdcn(name: &'static str) -> DatasetSpec {
    DatasetSpec {
        url: Some("https://raw.githubusercontent.com/bdy9527/SDCN/master/"),
        citation: "Bo et al., WWW 2020",
        ..files(name, Family::Sdcn)
    }
}

const fn wiki(name: &'static str, family: Family) -> DatasetSpec {
    DatasetSpec {
        url: Some("https://raw.githubusercontent.com/thunlp/TADW/master/wiki/"),
        files: &["graph.txt", "group.txt", "tfidf.txt"],
        published: Published::one(2405, 12_178, 4973, 17),
        clean: Published { edges_mean: Some(11_596.0), ..Published::NOTHING },
        citation: "Yang, Liu, Zhao, Sun and Chang, IJCAI 2015",
        ..files(name, family)
    }
}

const fn generated(name: &'static str, draw: fn(u64) -> RawDataset) -> DatasetSpec {
    DatasetSpec { draw: Some(draw), ..files(name, Family::Generated) }
}
