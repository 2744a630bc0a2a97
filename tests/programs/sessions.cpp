// A server of sessions over TCP, as services are written: a line a request, a thread a
// connection, a store that all share. And it leaks: a session that logs out is forgotten by its
// id, but not by its user.
//
//     sessions PORT_FILE
//
// It listens on a free port of 127.0.0.1, writes the number to PORT_FILE, and ends at SHUTDOWN.
// Each request is answered by a line, so a client knows what has happened:
//
//     LOGIN user · SET id key value · GET id key · LOGOUT id · SHUTDOWN
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sessions {

struct Session {
    explicit Session(std::string of) : user(std::move(of)) {}

    void set(const std::string &key, std::string value) { values[key] = std::move(value); }

    std::string user;
    std::map<std::string, std::string> values;
    std::array<char, 2000> scratch{};
};

class Store {
public:
    std::string put(const std::string &user) {
        std::lock_guard guard(lock);
        auto session = std::make_shared<Session>(user);
        auto id = std::to_string(++last) + "@" + user;
        by_user.emplace(user, session);
        by_id[id] = std::move(session);
        return id;
    }

    std::shared_ptr<Session> get(const std::string &id) {
        std::lock_guard guard(lock);
        auto found = by_id.find(id);
        return found == by_id.end() ? nullptr : found->second;
    }

    bool drop(const std::string &id) {
        std::lock_guard guard(lock);
        return by_id.erase(id) == 1; // The leak: by_user still holds it.
    }

private:
    std::mutex lock;
    unsigned long last = 0;
    std::unordered_map<std::string, std::shared_ptr<Session>> by_id;
    std::multimap<std::string, std::shared_ptr<Session>> by_user;
};

struct Request {
    std::string verb;
    std::vector<std::string> words;

    static Request parse(const std::string &line) {
        Request request;
        std::istringstream words(line);
        words >> request.verb;
        for (std::string word; words >> word;) request.words.push_back(word);
        return request;
    }

    const std::string &word(size_t at) const {
        static const std::string none;
        return at < words.size() ? words[at] : none;
    }
};

class Connection {
public:
    Connection(Store &store, int socket) : store(store), socket(socket) {}
    ~Connection() { close(socket); }

    void serve() {
        for (std::string line; read_line(line);) write_line(handle(Request::parse(line)));
    }

private:
    std::string handle(const Request &request) {
        if (request.verb == "LOGIN") return login(request);
        if (request.verb == "LOGOUT") return store.drop(request.word(0)) ? "OK" : "ERR unknown";
        if (request.verb == "SET") return set(request);
        if (request.verb == "GET") return get(request);
        if (request.verb == "SHUTDOWN") std::_Exit(0);
        return "ERR what";
    }

    std::string login(const Request &request) { return "OK " + store.put(request.word(0)); }

    std::string set(const Request &request) {
        auto session = store.get(request.word(0));
        if (!session) return "ERR unknown";
        session->set(request.word(1), request.word(2));
        return "OK";
    }

    std::string get(const Request &request) {
        auto session = store.get(request.word(0));
        return session ? "OK " + session->values[request.word(1)] : "ERR unknown";
    }

    bool read_line(std::string &line) {
        for (line.clear();;) {
            if (at == filled) {
                ssize_t got = read(socket, buffer.data(), buffer.size());
                if (got <= 0) return false;
                at = 0, filled = static_cast<size_t>(got);
            }
            char next = buffer[at++];
            if (next == '\n') return true;
            line.push_back(next);
        }
    }

    void write_line(std::string line) {
        line.push_back('\n');
        if (write(socket, line.data(), line.size()) < 0) std::perror("write");
    }

    Store &store;
    int socket;
    std::array<char, 4096> buffer{};
    size_t at = 0, filled = 0;
};

class Server {
public:
    void listen(const char *port_file) {
        listener = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto *any = reinterpret_cast<sockaddr *>(&address);
        if (bind(listener, any, length) || ::listen(listener, 16)) std::exit(1);
        if (getsockname(listener, any, &length)) std::exit(1);
        std::FILE *file = std::fopen(port_file, "w");
        if (!file) std::exit(1);
        std::fprintf(file, "%d\n", ntohs(address.sin_port));
        std::fclose(file);
        std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
        std::fflush(stdout);
    }

    void accept_all() {
        for (unsigned number = 1;; number++) {
            int socket = accept(listener, nullptr, nullptr);
            if (socket < 0) return;
            std::thread worker([this, socket] { Connection(store, socket).serve(); });
            auto name = "worker-" + std::to_string(number);
            pthread_setname_np(worker.native_handle(), name.c_str());
            worker.detach();
        }
    }

private:
    int listener = -1;
    Store store;
};

} // namespace sessions

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    sessions::Server server;
    server.listen(argv[1]);
    server.accept_all();
}
