"""Chinese words for goods, in English: for catalogues that are written in English alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_WORDS: Final = (
    "饼干 cookies|曲奇 cookies|牛奶 milk|酸奶 yogurt|面包 bread|蛋糕 cake|"
    "巧克力 chocolate|糖果 candy|冰淇淋 ice cream|咖啡 coffee|绿茶 green tea|"
    "红茶 black tea|茶 tea|果汁 juice|橙汁 orange juice|矿泉水 water|水 water|"
    "汽水 soft drinks|可乐 cola|啤酒 beer|红酒 red wine|白酒 liquor|葡萄酒 wine|米 rice|"
    "大米 rice|面条 noodles|意面 pasta|方便面 instant noodles|面粉 flour|糖 sugar|"
    "盐 salt|油 cooking oil|酱油 soy sauce|醋 vinegar|鸡蛋 eggs|牛肉 beef|猪肉 pork|"
    "鸡肉 chicken|羊肉 lamb|火鸡 turkey|香肠 sausage|培根 bacon|火腿 ham|鱼 fish|"
    "虾 shrimp|海鲜 seafood|金枪鱼 tuna|水果 fruit|苹果 apples|香蕉 bananas|葡萄 grapes|"
    "草莓 strawberries|橙子 oranges|蔬菜 vegetables|西红柿 tomatoes|番茄 tomatoes|"
    "土豆 potatoes|胡萝卜 carrots|沙拉 salad|坚果 nuts|花生 peanuts|零食 snacks|"
    "薯片 chips|爆米花 popcorn|奶酪 cheese|黄油 butter|麦片 cereal|汤 soup|披萨 pizza|"
    "狗粮 dog food|猫粮 cat food|猫砂 cat litter|尿布 diapers|奶粉 infant formula|"
    "洗发水 shampoo|沐浴露 body wash|牙膏 toothpaste|牙刷 toothbrush|肥皂 soap|"
    "洗衣液 laundry detergent|卫生纸 toilet paper|纸巾 tissues|口红 lipstick|"
    "化妆品 makeup|防晒霜 sunscreen|维生素 vitamins|电池 batteries|蜡烛 candles|"
    "鲜花 flowers|花 flowers|玫瑰 roses|玩具 toys|书 books|杂志 magazines|袜子 socks|"
    "衣服 clothing|鞋 shoes|外套 coat|围巾 scarf|贺卡 greeting cards|气球 balloons|"
    "无糖 sugar-free|有机 organic|冷冻 frozen|吃的 food|礼物 gift"
)
_ENGLISH = dict(pair.split(" ", 1) for pair in _WORDS.split("|"))
_LONGEST = max(map(len, _ENGLISH))


def in_english(text: str, knows: Callable[[str], bool]) -> str:
    """A text with Chinese goods by their English names, unless the catalogue knows the Chinese.

    What the list does not hold stays as it is.
    """
    if text.isascii() or knows(text):
        return text
    found: list[str] = []
    at = 0
    while at < len(text):
        for size in range(min(_LONGEST, len(text) - at), 0, -1):
            word = text[at : at + size]
            if word in _ENGLISH and not knows(word):
                found.append(f" {_ENGLISH[word]} ")
                at += size
                break
        else:
            found.append(text[at])
            at += 1
    return " ".join("".join(found).replace("的", " ").split())
