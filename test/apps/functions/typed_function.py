import functions_framework


class Order:
    def __init__(self, corn):
        self.corn = corn

    @staticmethod
    def from_dict(raw):
        return Order(raw["corn"])

    def to_dict(self):
        return {"corn": self.corn}


@functions_framework.typed(Order)
def grind(order):
    return Order(order.corn * 2)
