// Exceptions and coroutines of C++: frames that end by unwinding, and frames on the heap.
#include <coroutine>
#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

struct Task {
    struct promise_type {
        std::string value;
        Task get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(std::string text) {
            value = std::move(text);
            return {};
        }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

static Task words(int count) {
    for (int i = 0; i < count; i++)
        co_yield std::string(40 + i % 20, 'w');
}

__attribute__((noinline)) static int descend(int depth, std::map<int, std::string> &kept) {
    std::vector<std::string> local(3, std::string(30 + depth, 'x'));
    if (depth == 0)
        throw std::runtime_error("the bottom of " + local[0]);
    kept[depth] = local[1];
    return descend(depth - 1, kept) + 1;
}

int main(int, char **) {
    std::map<int, std::string> kept;
    size_t caught = 0, letters = 0;
    for (int round = 0; round < 3000; round++) {
        try {
            descend(round % 30, kept);
        } catch (const std::exception &error) {
            caught += std::string(error.what()).size() > 0;
        }
        Task task = words(round % 7);
        while (!task.handle.done()) {
            task.handle.resume();
            letters += task.handle.promise().value.size();
        }
        task.handle.destroy();
    }
    std::printf("%zu %zu\n", caught, letters);
}
