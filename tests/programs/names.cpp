// Code whose names need care: templates, an anonymous namespace, the standard library.
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace app {
namespace {
struct Item {
    std::string name;
    std::vector<int> values;
};

__attribute__((noinline)) Item make(int number) {
    Item item;
    item.name = std::to_string(number) + " is the number of this item";
    for (int value = 0; value < number; value++) item.values.push_back(value);
    return item;
}
} // namespace

template <typename Value> struct Store {
    std::map<std::string, std::unique_ptr<Value>> held;

    __attribute__((noinline)) void put(Value value) {
        auto name = value.name;
        held[name] = std::make_unique<Value>(std::move(value));
    }
};
} // namespace app

int main() {
    app::Store<app::Item> store;
    for (int number = 0; number < 20; number++) store.put(app::make(number));
    std::printf("%zu\n", store.held.size());
}
