//! The numbers of the documents, written down a second time.

use millrace_link::wire::table::{Family, TABLE};

/// Family, name, number: from the documents, not from the code.
const DOCUMENTS: &str = "
    channel DAP_STREAM_CH_ID_CONTROL 0x00
    channel DAP_STREAM_CH_ID_FILE 0x01
    channel DAP_STREAM_CH_ID_SERVICE 0x02
    channel DAP_STREAM_CH_ID_SECURITY 0x03
    channel DAP_STREAM_CH_ID_MEDIA 0x04
    channel DAP_STREAM_CH_ID_CUSTOM 0x10
    channel DAP_AVRS$K_CH_SIGNAL 0x41
    channel DAP_AVRS$K_CH_RETCODE 0x72
    channel DAP_AVRS$K_CH_CLUSTER 0x43
    channel DAP_AVRS$K_CH_CONTENT 0x63
    channel DAP_AVRS$K_CH_SESSION 0x53
    packet DAP_STREAM_PKT_TYPE_DATA 0x01
    packet DAP_STREAM_PKT_TYPE_CONTROL 0x02
    packet DAP_STREAM_PKT_TYPE_KEEPALIVE 0x03
    packet DAP_STREAM_PKT_TYPE_CLOSE 0x04
    packet DAP_STREAM_PKT_TYPE_ERROR 0x05
    flag DAP_STREAM_PKT_FLAG_COMPRESSED 0x01
    flag DAP_STREAM_PKT_FLAG_ENCRYPTED 0x02
    flag DAP_STREAM_PKT_FLAG_FRAGMENTED 0x04
    time STREAM_KEEPALIVE_TIMEOUT 0x3
    role AVRS_ROLE_CLIENT 0x0001
    role AVRS_ROLE_HOST 0x0002
    role AVRS_ROLE_OPERATOR 0x0004
    role AVRS_ROLE_SERVER 0x0100
    role AVRS_ROLE_BALANCER 0x0200
    role AVRS_ROLE_ALL 0xffff
    code AVRS_SUCCESS 0x00000000
    code AVRS_ERROR_ARG_INCORRECT 0x00000001
    code AVRS_ERROR_SIGN_NOT_PRESENT 0x000000f0
    code AVRS_ERROR_SIGN_INCORRECT 0x000000f1
    code AVRS_ERROR_SIGN_ALIEN 0x000000f2
    code AVRS_ERROR_CLUSTER_WRONG_REQUEST 0x00000101
    code AVRS_ERROR_CLUSTER_NOT_FOUND 0x00000102
    code AVRS_ERROR_CONTENT_UNAVAILBLE 0x00000200
    code AVRS_ERROR_CONTENT_NOT_FOUND 0x00000201
    code AVRS_ERROR_CONTENT_INFO_CORRUPTED 0x00000202
    code AVRS_ERROR_CONTENT_CORRUPTED 0x00000203
    code AVRS_ERROR_CONTENT_FLOW_WRONG_ID 0x00000210
    code AVRS_ERROR_MEMBER_NOT_FOUND 0x00000300
    code AVRS_ERROR_MEMBER_SECURITY_ISSUE 0x00000301
    code AVRS_ERROR_MEMBER_INFO_PROBLEM 0x00000302
    code AVRS_ERROR_SESSION_WRONG_REQUEST 0x00000400
    code AVRS_ERROR_SESSION_NOT_OPENED 0x00000401
    code AVRS_ERROR_SESSION_ALREADY_OPENED 0x00000402
    code AVRS_ERROR_SESSION_CONTENT_ID_WRONG 0x00000404
    code AVRS_ERROR 0xffffffff
";

#[test]
fn every_number_of_the_documents_is_in_the_table_and_no_other() {
    let theirs: Vec<_> = DOCUMENTS.split_whitespace().collect();
    let theirs: Vec<_> = theirs
        .chunks(3)
        .map(|row| (row[0], row[1], u32::from_str_radix(row[2].trim_start_matches("0x"), 16).unwrap()))
        .collect();
    let family = |family| match family {
        Family::Channel => "channel",
        Family::Packet => "packet",
        Family::Flag => "flag",
        Family::Role => "role",
        Family::Code => "code",
        Family::Time => "time",
    };
    let ours: Vec<_> =
        TABLE.iter().map(|entry| (family(entry.family), entry.document, entry.number)).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn the_documentation_has_every_row_of_the_table() {
    let text = include_str!("../../../../docs/link.md");
    for entry in TABLE {
        let row = text
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("`{}`", entry.document)));
        let row = row.unwrap_or_else(|| panic!("docs/link.md lacks {}", entry.document));
        let mut number = row.split('|').filter_map(|cell| {
            let cell = cell.trim().trim_matches('`');
            cell.strip_prefix("0x").map_or_else(|| cell.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
        });
        assert_eq!(number.next_back(), Some(entry.number), "{row}");
        assert!(row.contains(&format!("`{}`", entry.here)), "{row}");
    }
}
