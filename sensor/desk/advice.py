"""What to do next about an alert, by the class of its rule: first steps for whoever is on duty."""

from __future__ import annotations

Text = tuple[str, str]  # English, Vietnamese

_ATTACK: Text = (
    "Did it succeed? Look at the answer of the target (status, size, new connections from it "
    "afterwards) and at its own log. If it did: isolate the target, keep its memory and disk. If not: "
    "block the source, patch.",
    "Tấn công có thành công không? Xem trả lời của máy đích (mã, kích thước, kết nối mới từ nó sau đó) "
    "và nhật ký của nó. Nếu có: cô lập máy đích, giữ bộ nhớ và đĩa. Nếu không: chặn nguồn, vá lỗi.",
)
_INFECTED: Text = (
    "Take the inside host for infected until shown otherwise: isolate it, keep the evidence, find what "
    "it asked for and fetched before, and search all other hosts for the same name, address and "
    "fingerprint.",
    "Coi máy bên trong là đã nhiễm cho đến khi chứng minh khác: cô lập, giữ chứng cứ, tìm những gì nó "
    "đã hỏi và tải trước đó, và tìm cùng tên, địa chỉ, dấu vân trên mọi máy khác.",
)
_RECON: Text = (
    "Somebody looks around. From outside: note the source, watch what it finds open. From inside: find "
    "out who runs the scanner; if nobody does, treat the host as infected.",
    "Có người dò tìm. Từ ngoài: ghi lại nguồn, theo dõi những gì nó thấy mở. Từ trong: tìm ai chạy công"
    " cụ quét; nếu không ai, coi máy đó là đã nhiễm.",
)
_DENIAL: Text = (
    "Check whether the service still answers and how much traffic there is. Ask the provider to filter;"
    " if an inside host sends or amplifies, stop it there.",
    "Kiểm tra dịch vụ còn trả lời không và lưu lượng bao nhiêu. Yêu cầu nhà mạng lọc; nếu máy bên trong"
    " gửi hoặc khuếch đại, dừng ngay tại đó.",
)
_LOGIN: Text = (
    "Did a login follow? Change the password that was seen or guessed, look for its use elsewhere, and "
    "turn on a second factor or an encrypted protocol.",
    "Sau đó có đăng nhập được không? Đổi mật khẩu đã lộ hoặc bị đoán, tìm nơi khác dùng nó, và bật xác "
    "thực hai lớp hoặc giao thức mã hóa.",
)
_SUCCESS: Text = (
    "The rule says that it worked: isolate the host now, keep memory and disk, begin the incident procedure.",
    "Luật cho biết tấn công đã thành công: cô lập máy ngay, giữ bộ nhớ và đĩa, bắt đầu quy trình sự cố.",
)
_POLICY: Text = (
    "No attack by itself. Ask the owner of the host whether it is meant to be; if so, write an "
    "exception with its reason.",
    "Tự nó không phải tấn công. Hỏi chủ máy có cố ý không; nếu có, ghi ngoại lệ kèm lý do.",
)
_LOOK: Text = (
    "Read the conversation (haidang show) and decide: what was asked, what was answered, is the host "
    "known to do this?",
    "Đọc nội dung trao đổi (haidang show) rồi quyết định: hỏi gì, trả lời gì, máy này có thường làm vậy"
    " không?",
)

_BY_CLASS: dict[str, Text] = {
    name: advice
    for advice, names in (
        (
            _ATTACK,
            "attempted-admin attempted-user web-application-attack exploit-kit shellcode-detect "
            "client-side-exploit unsuccessful-user misc-attack",
        ),
        (
            _INFECTED,
            "trojan-activity command-and-control malware-cnc domain-c2 targeted-activity coin-mining "
            "pup-activity",
        ),
        (
            _RECON,
            "attempted-recon network-scan successful-recon-limited successful-recon-largescale "
            "rpc-portmap-decode",
        ),
        (_DENIAL, "attempted-dos successful-dos denial-of-service"),
        (_LOGIN, "default-login-attempt suspicious-login credential-theft social-engineering"),
        (_SUCCESS, "successful-admin successful-user"),
        (
            _POLICY,
            "policy-violation inappropriate-content external-ip-check not-suspicious non-standard-protocol "
            "icmp-event tcp-connection web-application-activity",
        ),
    )
    for name in names.split()
}


def advice_for(classtype: str) -> Text:
    """The first steps for a class."""
    return _BY_CLASS.get(classtype, _LOOK)
