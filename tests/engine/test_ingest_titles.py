import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ingest import readable_title


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "White Hanging Heart T-Light Holder"),
        ("FRZN ICE", "Frozen Ice"),
        ("SET/3 ROSE CANDLE IN JEWELLED BOX.", "Set of 3 Rose Candle in Jewelled Box"),
        ("SET OF 4 BLACK LOVEBIRD COASTERS", "Set of 4 Black Lovebird Coasters"),
        ("FOLK ART GREETING CARD,pack/12", "Folk Art Greeting Card, Pack of 12"),
        ("SFT DRNK SNGL SRV BTL CARB (EX", "Soft Drink Single Serve Bottle Carbonated"),
        ("FRUIT (UNDER 10% JUICE)", "Fruit (Under 10% Juice)"),
        ("SUNTAN LOTION W/SPF", "Suntan Lotion with SPF"),
        ("FEM. HYGN. TAMPONS", "Feminine Hygiene Tampons"),
        ("BREAD:ITALIAN/FRENCH", "Bread: Italian/French"),
        ("CHILDREN'S 3D A4 PUZZLE", "Children's 3D A4 Puzzle"),
        ("50'S CHRISTMAS GIFT BAG", "50's Christmas Gift Bag"),
        ("ICE CREAM 12 OZ", "Ice Cream 12 oz"),
        ("WINE 750ML", "Wine 750ml"),
        ("  KEY  FOB , GARAGE DESIGN ", "Key Fob, Garage Design"),
        ("THE CAT AND THE FIDDLE ON", "The Cat and the Fiddle On"),
        ("LED TV", "LED TV"),
        ("ÉCLAIR", "Éclair"),
        ("iPhone 15 Pro", "iPhone 15 Pro"),
        ("A  quiet   title", "A quiet title"),
        ("12", "12"),
        ("???", "???"),
        ("", ""),
    ],
)
def test_titles(raw, readable):
    assert readable_title(raw) == readable


WORDS = ["SET/3", "W/", "FRZN", "LED", "OF", "A", "12OZ", "T-LIGHT", "(CUT", "&", "MUG,", "50'S"]


@given(st.lists(st.sampled_from(WORDS)))
def test_a_readable_title_is_left_alone(words):
    title = readable_title(" ".join(words))
    assert readable_title(title) == title


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_a_title_never_vanishes(raw):
    assert bool(readable_title(raw)) == bool(raw.strip())
