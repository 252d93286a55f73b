"""The rules that the figures hang on, as a specification: `python -m unittest discover tests`."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from nerite_training.calibrate import calibration_error, probabilities
from nerite_training.codebook import quantise_embeddings
from nerite_training.conll import detokenise
from nerite_training.corpus import Item
from nerite_training.decode import decode
from nerite_training.distil import strongest_neurons
from nerite_training.encoder import Shape, Tagger, as_int8, student_of
from nerite_training.engines import OnnxEngine
from nerite_training.evaluate import Score
from nerite_training.graph import write_graph
from nerite_training.labels import LABEL_IDS, LABELS, TYPES
from nerite_training.losses import distillation, partial_cross_entropy
from nerite_training.markup import MarkupError, parse_line
from nerite_training.transformers_format import parameters
from nerite_training.vocabulary import build_tokenizer, fits
from nerite_training.windows import Encoded, Names, Window, augment, cut, encode, join, permitted_elsewhere
from nerite_training.schedule import seeded


def small_tokenizer():
    """A tokenizer that knows single letters: enough to see where words begin."""
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,'’«»0123456789"
    return build_tokenizer([("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((c, -1.0) for c in letters)])


class Markup(unittest.TestCase):
    def test_spans_index_the_text(self):
        text, spans = parse_line("dell'[[Alibaba|ORG]] e [[Eddie Wu|PER]].")
        self.assertEqual(text, "dell'Alibaba e Eddie Wu.")
        self.assertEqual([(text[a:b], kind) for a, b, kind in spans], [("Alibaba", "ORG"), ("Eddie Wu", "PER")])

    def test_faults_are_named(self):
        for line in ("[[x|CITY]]", "[[x|PER", "x|PER]]"):
            with self.assertRaises(MarkupError):
                parse_line(line)


class Detokenise(unittest.TestCase):
    CASES = [
        ("it", "L' università di Bologna , dice .", "L'università di Bologna, dice."),
        ("it", "un ' altra", "un'altra"),
        ("fr", "l’ ONU ( Genève )", "l’ONU (Genève)"),
        ("en", "the U.S. 's economy does n't", "the U.S.'s economy doesn't"),
        ("en", "$ 40 billion", "$40 billion"),
        ("en", "`` Yes , '' he said", '"Yes," he said'),
        ("it", 'il " sì " di Roma', 'il "sì" di Roma'),
        ("de", "5 % mehr", "5 % mehr"),
        ("it", "5 % in più", "5% in più"),
        ("it", "« Ciao »", "«Ciao»"),
    ]

    def test_table(self):
        for lang, tokens, expected in self.CASES:
            text, ranges = detokenise(tokens.split(), lang)
            self.assertEqual(text, expected)
            for token, (start, end) in zip(tokens.split(), ranges):
                if token not in ("``", "''"):
                    self.assertEqual(text[start:end], token)


class Words(unittest.TestCase):
    CASES = [
        ("dell'Alibaba.", ["dell'", "Alibaba", "."]),
        ("Amazon.com Inc., ieri", ["Amazon.com", "Inc", ".", ",", "ieri"]),
        ("Bayer's «U.S.»", ["Bayer", "'", "s", "«", "U.S", ".", "»"]),
    ]

    def test_words_split_where_entities_end(self):
        for text, words in self.CASES:
            row = encode(Window("it", text, [], TYPES), small_tokenizer())
            self.assertEqual([text[a:b] for a, b in row.ranges], words)

    def test_spans_become_labels(self):
        row = encode(Window("it", "per Eddie Wu a Roma", [(4, 12, "PER"), (15, 19, "LOC")], TYPES), small_tokenizer())
        expected = ["O", "B-PER", "I-PER", "O", "B-LOC"]
        self.assertEqual([LABELS[bits.bit_length() - 1] for bits in row.permitted], expected)

    def test_misc_is_masked_and_o_stays_open(self):
        window = Window("it", "Nobel a Roma", [(0, 5, "MISC"), (8, 12, "LOC")], ["PER", "ORG", "LOC"])
        row = encode(window, small_tokenizer())
        self.assertEqual(row.permitted[0], 0)
        self.assertEqual(row.permitted[1], permitted_elsewhere(["PER", "ORG", "LOC"]))
        self.assertTrue(row.permitted[1] >> LABEL_IDS["B-DATE"] & 1)
        self.assertFalse(row.permitted[1] >> LABEL_IDS["B-LOC"] & 1)


class Windows(unittest.TestCase):
    def test_cut_and_join_keep_spans(self):
        item = Item("it", "c", "Parla Wu. Roma tace.", [(6, 8, "PER"), (10, 14, "LOC")], TYPES)
        pieces = cut(item)
        self.assertEqual([piece.text for piece in pieces], ["Parla Wu.", "Roma tace."])
        window = join(pieces, "\n")
        self.assertEqual([window.text[a:b] for a, b, _ in window.spans], ["Wu", "Roma"])

    def test_augmentation_keeps_spans_on_words(self):
        item = Item("it", "c", "A Apple «Tim Cook» di Roma.", [(2, 7, "ORG"), (9, 17, "PER"), (22, 26, "LOC")], TYPES)
        names = Names([item])
        for number in range(200):
            window = augment(join([item], " "), names, seeded("test", number))
            mentions = [window.text[a:b].lower() for a, b, _ in window.spans]
            self.assertEqual(mentions, ["apple", "tim cook", "roma"])


class Losses(unittest.TestCase):
    def test_one_permitted_label_is_cross_entropy(self):
        logits = torch.randn(4, len(LABELS))
        gold = torch.tensor([0, 3, 5, 20])
        permitted = torch.nn.functional.one_hot(gold, len(LABELS)).bool()
        expected = torch.nn.functional.cross_entropy(logits, gold)
        self.assertAlmostEqual(partial_cross_entropy(logits, permitted).item(), expected.item(), places=5)

    def test_masked_words_do_not_count(self):
        logits = torch.randn(2, len(LABELS))
        permitted = torch.zeros(2, len(LABELS), dtype=torch.bool)
        self.assertEqual(partial_cross_entropy(logits, permitted).item(), 0.0)

    def test_distillation_is_zero_for_equal_scores(self):
        logits = torch.randn(3, len(LABELS))
        self.assertAlmostEqual(distillation(logits, logits, 2.0).item(), 0.0, places=5)


class Decode(unittest.TestCase):
    def scores(self, *labels):
        rows = np.full((len(labels), len(LABELS)), -5.0)
        for row, label in enumerate(labels):
            rows[row, LABEL_IDS[label]] = 5.0
        return rows

    def test_spans(self):
        ranges = [(0, 5), (6, 8), (9, 10), (11, 15)]
        found = decode(self.scores("B-PER", "I-PER", "O", "B-LOC"), ranges)
        self.assertEqual(found, [(0, 8, "PER"), (11, 15, "LOC")])

    def test_no_path_begins_inside(self):
        scores = self.scores("I-PER")
        scores[0, LABEL_IDS["B-PER"]] = 4.0
        self.assertEqual(decode(scores, [(0, 2)]), [(0, 2, "PER")])

    def test_nothing(self):
        self.assertEqual(decode(np.empty((0, len(LABELS))), []), [])


class Scorer(unittest.TestCase):
    def test_ends_and_type_must_match(self):
        score = Score()
        score.add([(0, 5, "PER"), (6, 9, "ORG")], [(0, 5, "PER"), (6, 9, "LOC")])
        self.assertEqual(score.f1(), 50.0)
        self.assertEqual(score.f1("PER"), 100.0)


class Network(unittest.TestCase):
    def test_padding_changes_nothing(self):
        model = Tagger(Shape(vocabulary=50, layers=2)).eval()
        ids = torch.randint(4, 50, (1, 9))
        padded = torch.cat([ids, torch.ones(1, 7, dtype=torch.long)], dim=1)
        alone = model(ids, torch.ones_like(ids))
        beside = model(padded, (padded != 1).long())[:, :9]
        torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-4)

    def test_student_copies_layers(self):
        teacher = Tagger(Shape(vocabulary=50, layers=4))
        student = student_of(teacher, [1, 3])
        self.assertTrue(torch.equal(student.layers[1].widen.weight, teacher.layers[3].widen.weight))

    def test_student_keeps_the_neurons_that_count(self):
        teacher = Tagger(Shape(vocabulary=50, layers=2)).eval()
        for layer in teacher.layers:
            layer.narrow.weight.data[:, ::2] = 0.0
        row = Encoded(list(range(4, 40)), [0], [1])
        neurons = strongest_neurons(teacher, [row], 768)
        student = student_of(teacher, [0, 1], neurons).eval()
        ids = torch.tensor([row.ids])
        torch.testing.assert_close(student(ids, torch.ones_like(ids)), teacher(ids, torch.ones_like(ids)))


class Codebook(unittest.TestCase):
    def test_codes_stand_for_the_vectors_near_them(self):
        torch.manual_seed(0)
        centres = torch.randn(20, 12)
        weight = centres[torch.randint(20, (500,))] + 0.01 * torch.randn(500, 12)
        words = quantise_embeddings(weight, groups=4, seed=0)
        error = (words(torch.arange(500)) - weight).square().mean()
        self.assertLess(error, 1e-4)
        self.assertEqual(words.codes.shape, (500, 4))


class Graph(unittest.TestCase):
    """A network with random weights, large enough that a wrong operator shows."""

    def setUp(self):
        torch.manual_seed(0)
        self.model = Tagger(Shape(vocabulary=50, layers=2)).eval()
        torch.nn.init.normal_(self.model.head.weight)
        for table in (self.model.words, self.model.places):
            table.weight.data = as_int8(table.weight)
        self.row = Encoded(list(range(4, 40)), list(range(36)), [])
        ids = torch.tensor([self.row.ids])
        with torch.inference_mode():
            self.exact = self.model(ids, torch.ones_like(ids))[0].numpy()
            self.model.round_as_int8()
            self.rounded = self.model(ids, torch.ones_like(ids))[0].numpy()

    def run_graph(self, int8):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            write_graph(self.model, path, int8)
            return OnnxEngine(path).run([self.row])[0]

    def test_32_bits_compute_the_module(self):
        np.testing.assert_allclose(self.run_graph(False), self.exact, atol=1e-3)

    def test_int8_computes_the_module_that_rounds(self):
        # One code that falls to the other side of a half moves all that follows, so the two differ, but by less than
        # the rounding itself.
        rounding = np.abs(self.exact - self.rounded).mean()
        self.assertLess(np.abs(self.run_graph(True) - self.rounded).mean(), 0.5 * rounding)


class CodedGraph(Graph):
    """The same with embeddings made of codes."""

    def setUp(self):
        super().setUp()
        self.model = self.model.with_words(quantise_embeddings(self.model.words.weight, groups=64, seed=0))
        ids = torch.tensor([self.row.ids])
        with torch.inference_mode():
            self.rounded = self.model(ids, torch.ones_like(ids))[0].numpy()
            for module in self.model.modules():
                module.rounding = False
            self.exact = self.model(ids, torch.ones_like(ids))[0].numpy()

    def test_codes_are_read_back_as_vectors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            write_graph(self.model, path, int8=True)
            found = parameters(path)["words.weight"]
        with torch.inference_mode():
            np.testing.assert_array_equal(found, self.model.words(torch.arange(50)).numpy())


class Calibration(unittest.TestCase):
    def test_a_span_is_its_labels_and_its_end(self):
        scores = np.full((3, len(LABELS)), -30.0)
        scores[0, [LABEL_IDS["B-PER"], 0]] = 0.0
        scores[1, [LABEL_IDS["I-PER"], 0]] = 0.0
        scores[2, 0] = 0.0
        # Three sequences are valid: PER of one word, PER of two, nothing; an inside needs its begin.
        self.assertAlmostEqual(probabilities(scores, [(0, 1, "PER")], 1.0)[0], 1 / 3)
        self.assertAlmostEqual(probabilities(scores, [(0, 2, "PER")], 1.0)[0], 1 / 3)
        self.assertAlmostEqual(probabilities(scores, [(0, 1, "PER"), (2, 3, "LOC")], 1.0)[1], 0.0)

    def test_error_is_the_distance_from_the_share_of_right_ones(self):
        self.assertAlmostEqual(calibration_error([0.75] * 4, [True, True, True, False]), 0.0)
        self.assertAlmostEqual(calibration_error([0.95] * 4, [True, False, False, False]), 0.7)
        self.assertAlmostEqual(calibration_error([1.0, 0.05], [True, True]), 0.475)


class Vocabulary(unittest.TestCase):
    def test_scripts(self):
        cases = [("▁della", True), ("ость", True), ("道", False), ("の", False), ("ж", True), ("aж", False)]
        for piece, wanted in cases:
            self.assertEqual(fits(piece), wanted, piece)


if __name__ == "__main__":
    unittest.main()
