// Counts words: templates, lambdas, constructors and destructors, all inlined
// into each other.

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace words {

struct Counter {
    virtual ~Counter() = default;
    virtual void add(const std::string &word) = 0;
};

template <typename Map> struct MapCounter final : Counter {
    Map map;
    void add(const std::string &word) override { ++map[word]; }
};

static std::vector<std::string> split(const std::string &text) {
    std::istringstream stream(text);
    std::vector<std::string> all;
    for (std::string word; stream >> word;) {
        all.push_back(word);
    }
    return all;
}

} // namespace words

int main(int argc, char **argv) {
    auto counter = std::make_unique<words::MapCounter<std::map<std::string, int>>>();
    std::regex wanted("[a-z]+");
    for (int at = 0; at < argc; ++at) {
        for (const auto &word : words::split(argv[at])) {
            if (std::regex_match(word, wanted)) {
                counter->add(word);
            }
        }
    }
    std::vector<std::pair<int, std::string>> sorted;
    for (const auto &[word, count] : counter->map) {
        sorted.emplace_back(count, word);
    }
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::for_each(sorted.begin(), sorted.end(), [](const auto &entry) {
        std::cout << entry.second << ' ' << entry.first << '\n';
    });
}
