"""Picture world: captions in words, pictures of drawings, and models that learn both."""

import argparse

import numpy as np
import pytest
import torch

from blockdance.demo import emoji, model, muon, picture_world, recognizer, train
from blockdance.demo.architectures import PICTURES
from blockdance.demo.text_encoder import TextEncoder, UnknownWord

NAMES = ("red apple", "fox face", "rocket", "umbrella with rain drops")


@pytest.fixture(scope="module")
def world() -> picture_world.World:
    """Four things, each of one colour and shape: nothing is fetched."""
    rng = np.random.default_rng(0)
    things = []
    for name in NAMES:
        drawings = np.zeros((len(emoji.SETS), emoji.SIZE, emoji.SIZE, 4), np.uint8)
        drawings[:, 8:-8, 8:-8] = [*rng.integers(0, 255, 3), 255]
        things.append(emoji.Emoji(name, "food", drawings))
    return picture_world.World(things, torch.device("cpu"))


def test_pictures_and_captions_belong_together(world):
    batch = world.batch(64, torch.Generator().manual_seed(0))
    assert batch.pictures.shape == (64, 3, 64, 64) and batch.pictures.abs().max() <= 1
    assert batch.tokens.shape == (64, picture_world.TOKENS)
    for tokens, thing in zip(batch.tokens, batch.things):
        assert world.words(tokens).startswith(NAMES[thing])


def test_the_same_seed_gives_the_same_pictures(world):
    one, two = (world.batch(8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.pictures, two.pictures) and torch.equal(one.tokens, two.tokens)


def test_what_is_held_out_is_never_trained_on(world):
    """A combination of thing, set and ground is told by its whole caption."""
    def combinations(held_out: bool) -> set[str]:
        batches = (world.batch(512, torch.Generator().manual_seed(seed), held_out, pairs=0.) for seed in range(8))
        captions = (world.words(tokens) for batch in batches for tokens in batch.tokens)
        places = {*picture_world.SIZES, *picture_world.PLACES, "food"}
        return {" ".join(word for word in caption.split() if word not in places) for caption in captions
                if " on " in caption and any(one in caption for one in picture_world.SETS)}
    trained, held_out = combinations(False), combinations(True)
    assert len(held_out) > 50 and not trained & held_out


def test_words_are_read_as_people_write_them(world):
    encoder = TextEncoder(world.vocabulary.words, picture_world.TOKENS, 8)
    tokens = encoder.tokens("Fox face, fluent, LARGE center, on striped blue")
    assert world.words(tokens[0]) == "fox face fluent large center on striped blue"
    assert encoder(tokens).shape == (1, picture_world.TOKENS, 8)


def test_an_unknown_word_is_named_with_what_is_like_it(world):
    encoder = TextEncoder(world.vocabulary.words, picture_world.TOKENS, 8)
    with pytest.raises(UnknownWord, match="rockt.*rocket"):
        encoder.tokens("rockt on plain red")
    with pytest.raises(ValueError, match=f"25 .* {picture_world.TOKENS}"):
        encoder.tokens("rocket " * 25)


def test_matrices_are_orthogonalised_together_as_one_by_one():
    generator = torch.Generator().manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in ((8, 16), (8, 16), (16, 8))]
    theirs = [torch.nn.Parameter(matrix.detach().clone()) for matrix in ours]
    optimisers = (muon.Muon(ours, lr=.1),
                  torch.optim.Muon(theirs, lr=.1, weight_decay=0, adjust_lr_fn="match_rms_adamw"))
    for _ in range(3):
        for one, other in zip(ours, theirs):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for optimiser in optimisers:
            optimiser.step()
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", PICTURES)
def test_a_model_and_its_text_encoder_train_and_load(name, world, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_world.World, "load", lambda *_: world)
    monkeypatch.setattr("comfy.model_management.in_training", True)
    architecture = PICTURES[name]
    arguments = argparse.Namespace(state=tmp_path, minutes=1e9, batch=2, learning_rate=2e-3, compile=False,
                                   device="cpu", start=None)
    torch.manual_seed(0)
    trainer = train.Trainer(architecture, arguments)
    before = trainer.lessons.encoder.embedding.detach().clone()
    assert torch.isfinite(torch.stack([trainer.train_step() for _ in range(3)])).all()
    assert not torch.equal(before, trainer.lessons.encoder.embedding)
    trainer.save()
    weights = tmp_path / f"{name}.safetensors"
    encoder, loaded = model.load_text_encoder(weights), model.load(weights)
    assert encoder.words == world.vocabulary.words
    for key, value in loaded.model.diffusion_model.state_dict().items():
        if key in trainer.average:
            torch.testing.assert_close(value, trainer.average[key].to(torch.bfloat16).float())
    again = train.Trainer(architecture, arguments)
    torch.testing.assert_close(again.lessons.encoder.embedding, trainer.lessons.encoder.embedding)


def test_shapes_world_has_no_text_encoder(tmp_path):
    with pytest.raises(ValueError, match="picture world"):
        model.load_text_encoder(model.Path(model.__file__).parent / "weights" / "pixart.safetensors")


def test_the_classifier_that_comes_with_the_demo_knows_its_things():
    network = recognizer.load()
    assert len(network.names) > 1000 and "fox face" in network.names
    picks = network.picks(torch.zeros(3, 3, 64, 64), torch.tensor([0, 5, 9]), torch.Generator().manual_seed(0))
    assert picks.shape == (3,) and picks.dtype == torch.bool
